r"""Plans of earlier versions: files of version 1, and the fingerprints of that time.

A file of version 1 has aligned words instead of JSON::

    vcokit plan 1
    fingerprint 5f3c…
    steps 1 create, 1 modify, 0 delete, 0 keep, 0 blocked
    quota 50
    lost "[[[1], \"…\"]]"
    simulated no

    connection vco-a region cn-hangzhou scope cn-hangzhou
      # step action destination weight next-hop row line source     description message
      0      create 10.0.0.0/8  100    vco-a    0   2    routes.csv "Hub, 2nd"  -
      1      modify 10.2.0.0/16 0->100 vco-a    1   3    routes.csv -           -

    live vco-a region cn-hangzhou
      10.2.0.0/16 0 vco-a

    end 9e1b…

A lone ``-`` means nothing, a quoted word is a JSON string, and ``end`` gives the SHA-256 of all
lines above it: if it matches, the file is unchanged.

Fingerprints were computed from the CSV that pandas writes of a frame. Plans from files of version
1, and from journals of that time, are compared with such fingerprints.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import pandas as pd

from vcokit.rollout.steps import LIVE_COLUMNS

_WORD: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[^ "]+')
_STEP: Final = (
    "step",
    "action",
    "route_dest",
    "weight",
    "next_hop",
    "row",
    "line",
    "source",
    "description",
    "message",
)
_NUMBERS: Final = ("step", "row", "line")
_SIMULATED: Final = {"yes": True, "no": False}

Columns = dict[str, list[Any]]


class DamageError(Exception):
    """The number of a line, and what is wrong with it."""


def parts_of_version_1(lines: Iterable[str]) -> tuple[dict[str, Any], Columns, Columns]:
    """Return the header, and the columns of steps and live routes, with the names of version 2.

    Raises
    ------
    DamageError
        If the file is not as it was written.
    """
    texts = [line.rstrip("\n") for line in lines]
    if texts[0] != "vcokit plan 1":
        raise DamageError(1, f"written by another version of vcokit ({texts[0]:.30})")
    last = next((n for n, text in enumerate(texts) if text.startswith("end ")), None)
    if last is None:
        raise DamageError(len(texts), "the plan ends before its last line")
    above = "\n".join(texts[:last])
    if texts[last] != f"end {hashlib.sha256(above.encode()).hexdigest()}":
        raise DamageError(last + 1, "the plan was changed after it was saved")
    if any(texts[last + 1 :]):
        raise DamageError(last + 2, "there is text after the end of the plan")
    try:
        head, steps, live = _parts(texts[1:last])
        steps.sort(key=lambda step: step["step"])
        numbers = [step["step"] for step in steps]
        if numbers != list(range(len(steps))):
            raise ValueError("steps are missing, or appear twice")
        return head, _columns(steps), _columns(live)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DamageError(last + 1, f"what stands above was never written so ({error})") from None


def _parts(texts: list[str]) -> tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]]:
    head: dict[str, Any] = {"simulated": None}
    steps: list[dict[str, Any]] = []
    live: list[dict[str, Any]] = []
    place: dict[str, Any] = {}
    for text in texts:
        words = [_value(word) for word in _WORD.findall(text)]
        if text.startswith("  #") or not words:
            continue
        if text.startswith("  ") and "scope" in place:
            steps.append(place | _step(words))
        elif text.startswith("  "):
            route_dest, weight, next_hop = words
            live.append(
                place | {"route_dest": route_dest, "next_hop": next_hop, "weight": int(weight)}
            )
        elif words[0] in ("connection", "live"):
            names = ("vpn_connection_id", "region_id", "scope")
            place = dict(zip(names, words[1::2], strict=False))
        elif words[0] == "quota":
            head["quota"] = int(words[1])
        elif words[0] == "lost":
            head["gaps"] = [
                {"steps": steps, "reason": reason} for steps, reason in json.loads(words[1])
            ]
        elif words[0] == "simulated":
            head["simulated"] = _SIMULATED[words[1]]
        else:
            head[words[0]] = words[1]
    return head, steps, live


def _value(word: str) -> Any:
    return None if word == "-" else json.loads(word) if word.startswith('"') else word


def _step(words: list[Any]) -> dict[str, Any]:
    step = dict(zip(_STEP, words, strict=True))
    old, arrow, new = (step["weight"] or "").rpartition("->")
    step |= {"old_weight": int(old) if arrow else None, "weight": int(new) if new else None}
    return step | {name: None if step[name] is None else int(step[name]) for name in _NUMBERS}


def _columns(records: list[dict[str, Any]]) -> Columns:
    return {name: [record[name] for record in records] for name in (records or [{}])[0]}


def fingerprint(
    steps: pd.DataFrame, live: pd.DataFrame, digested: Iterable[str], given: Mapping[str, str]
) -> str:
    """Return the fingerprint that a plan had when files were of version 1."""
    digest = hashlib.sha256()
    live = live.sort_values(list(LIVE_COLUMNS))
    for frame, names in ((steps, digested), (live, LIVE_COLUMNS)):
        digest.update(frame[list(names)].to_csv(index=False, lineterminator="\n").encode())
    digest.update(json.dumps(given, sort_keys=True).encode())
    return digest.hexdigest()
