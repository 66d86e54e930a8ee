"""Groups of options that several commands share, as dataclasses.

A command takes a group as one parameter, and the shell sees an option a field::

    @dataclass(frozen=True)
    class Pace:                                    --stop-after 3
        stop_after: Annotated[int | None, …]  ───▶
                                                   def apply_command(file: …, pace: Pace): …

So an option is described once, and what it means stands beside it as a method of its group.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, get_type_hints


def grouped(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a command as typer takes it: each group's fields stand in its place.

    Parameters
    ----------
    function : callable
        Parameters that are annotated with a dataclass are groups.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Place:
    ...     region: str = "cn-hangzhou"
    >>> command = grouped(_example(Place))
    >>> str(inspect.signature(command)), command(name="a", region="eu")
    ("(*, name: str, region: str = 'cn-hangzhou')", 'a in eu')
    """
    signature = inspect.signature(function, eval_str=True)
    groups: dict[str, Any] = {
        parameter.name: parameter.annotation
        for parameter in signature.parameters.values()
        if is_dataclass(parameter.annotation)
    }

    def command(**given: Any) -> Any:
        for name, kind in groups.items():
            given[name] = kind(**{one.name: given.pop(one.name) for one in fields(kind)})
        return function(**given)

    flat = list(_flat(signature))
    command.__name__, command.__doc__ = function.__name__, function.__doc__
    command.__module__ = function.__module__
    command.__annotations__ = {one.name: one.annotation for one in flat}
    command.__signature__ = inspect.Signature(flat)  # type: ignore[attr-defined]
    return command


def _flat(signature: inspect.Signature) -> Iterator[inspect.Parameter]:
    for parameter in signature.parameters.values():
        kind = parameter.annotation
        if not is_dataclass(kind):
            yield parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            continue
        hints = get_type_hints(kind, include_extras=True)
        for one in fields(kind):
            default = inspect.Parameter.empty if one.default is MISSING else one.default
            yield inspect.Parameter(
                one.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=default,
                annotation=hints[one.name],
            )


def _example(kind: type) -> Callable[..., str]:
    def command(name: str, place: Any) -> str:
        return f"{name} in {place.region}"

    command.__annotations__["place"] = kind
    command.__annotations__["name"] = str
    return command
