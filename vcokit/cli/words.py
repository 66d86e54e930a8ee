"""What the library advises in Python, said in the words of the shell.

Errors are written where they are found, and know no shell: ``encoding="gb18030"`` is an argument
there and ``--encoding gb18030`` here. Only remedies are put into other words; what was wrong, and
where, stays as it is.
"""

from __future__ import annotations

import re
from typing import Final

from vcokit.errors import VcokitError

_TABLE: Final = tuple(
    (re.compile(pattern), words)
    for pattern, words in (
        (r'columns=\{"(\w+)": "([^"]*)"\}', r'--column "\1=\2"'),
        (r'weights=\{"active": 100, "standby": 0\}', "--weight-word standby=0"),
        (r"plan_routes\(…, max_delete=(\d+)\)", r"--prune --max-delete \1"),
        (r"connect\(region=…\)|read_routes\(region=…\)", "--region"),
        (r", or pass access_key_id= and access_key_secret= to connect\(\)", ""),
        (r"name a profile= of the vendor's CLI", "or name a --profile of the vendor's CLI"),
        (r"Rollout\.open\(path, client\)", "vcokit resume"),
        (r"(make a new plan)$", r"\1: vcokit apply with the inventory"),
        (r"allow_gap=True", "--allow-gap"),
        (r"take_over=True", "--take-over"),
        (r"Go on with it on a simulator", "Add --simulate or --scenario"),
        (r"Go on with it on the cloud", "Leave out --simulate and --scenario, or the endpoint"),
        (r'format=, such as format="csv"', "another name, such as routes.csv"),
        (r'\b(region|encoding|delimiter|sheet)="([^"]*)"', r'--\1 "\2"'),
        (r"\b(region|encoding|delimiter|sheet|profile)=", r"--\1"),
    )
)


#: What a rollout says of its end.
_ENDS: Final = (
    (re.compile(r"as were allowed in one run"), "as --stop-after allows in one run"),
    (re.compile(r"go on with other waves"), "go on with other ones, such as --waves rest"),
    (re.compile(r"the deadline of \S+ s has passed"), "the time of --max-hours has passed"),
)


def wording(message: str | None) -> str | None:
    """Return why a rollout ended, in the words of the shell.

    Examples
    --------
    >>> wording("3 steps failed, as many as were allowed in one run")
    '3 steps failed, as many as --stop-after allows in one run'
    """
    for pattern, words in _ENDS if message else ():
        message = pattern.sub(words, message or "")
    return message


def in_shell(error: VcokitError) -> str:
    """Return an error's one line with its remedy in the words of the shell.

    Examples
    --------
    >>> in_shell(VcokitError("gaps", remedy="Change the inventory, or pass allow_gap=True"))
    'gaps. Change the inventory, or pass --allow-gap'
    """
    remedy = error.remedy
    if not remedy:
        return str(error)
    for pattern, words in _TABLE:
        remedy = pattern.sub(words, remedy)
    return f"{str(error).removesuffix(error.remedy or '')}{remedy}"
