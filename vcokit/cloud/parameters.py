"""What a call may be given: one `Parameter` each, its type and limits, and how it travels.

==========  ==============================================  ==========================
type        given as                                        travels as
==========  ==============================================  ==========================
``string``  str                                             itself
``integer`` int, or any integer that indexes (NumPy's too)  decimal digits
``boolean`` bool                                            ``True`` or ``False``
``tags``    mapping of str to str, at most 20               ``Tag.1.Key``, ``Tag.1.Value``, …
==========  ==============================================  ==========================

Booleans are written as the official SDK for Python writes them; the cloud compares without case.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from vcokit.errors import InputError

#: Most tags that a listing can be filtered by.
MOST_TAGS: Final = 20


@dataclass(frozen=True)
class Parameter:
    """One parameter of an operation.

    Parameters
    ----------
    name : str
        As the API writes it.
    type : str
        ``string``, ``integer``, ``boolean`` or ``tags``.
    required : bool
    choices : tuple
        Values that are allowed; empty where there is no list of them.
    default : object
        What the cloud takes where nothing is given; None where nothing is documented.
    least, most : int, optional
        Bounds of an integer.
    longest : int, optional
        Characters of a string, which then must be ASCII.

    Examples
    --------
    >>> list(Parameter("PageSize", "integer", least=1, most=50).wire(20))
    [('PageSize', '20')]
    >>> list(Parameter("Tag", "tags").wire({"team": "net"}))
    [('Tag.1.Key', 'team'), ('Tag.1.Value', 'net')]
    """

    name: str
    type: str = "string"
    required: bool = False
    choices: tuple[str | int, ...] = ()
    default: str | int | bool | None = None
    least: int | None = None
    most: int | None = None
    longest: int | None = None

    def wire(self, value: object) -> Iterator[tuple[str, str]]:
        """Yield name and value as they travel.

        Raises
        ------
        InputError
            If the cloud could never accept the value.
        """
        return _WIRE[self.type](self, value)

    def refuse(self, value: object, wanted: str) -> InputError:
        """Return the error that a value is not what is wanted."""
        return InputError(f"{self.name} is {value!r}", remedy=f"Give {wanted}")


def _string(of: Parameter, value: object) -> Iterator[tuple[str, str]]:
    if not isinstance(value, str):
        raise of.refuse(value, "text")
    if of.choices and value not in of.choices:
        raise of.refuse(value, " or ".join(map(str, of.choices)))
    if of.longest is not None and (len(value) > of.longest or not value.isascii()):
        raise of.refuse(value, f"at most {of.longest} ASCII characters")
    if not _is_text(value):
        raise of.refuse(value, "text that can be written as UTF-8")
    yield of.name, value


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _integer(of: Parameter, value: object) -> Iterator[tuple[str, str]]:
    try:
        number = None if isinstance(value, bool) else operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        number = None
    if number is None:
        raise of.refuse(value, "an integer")
    if of.choices and number not in of.choices:
        raise of.refuse(value, " or ".join(map(str, of.choices)))
    below = of.least is not None and number < of.least
    if below or (of.most is not None and number > of.most):
        raise of.refuse(
            value, f"an integer from {of.least}" + (f" to {of.most}" if of.most else "")
        )
    yield of.name, str(number)


def _boolean(of: Parameter, value: object) -> Iterator[tuple[str, str]]:
    if not isinstance(value, bool):
        raise of.refuse(value, "True or False")
    yield of.name, str(value)


def _tags(of: Parameter, value: object) -> Iterator[tuple[str, str]]:
    if not isinstance(value, Mapping) or len(value) > MOST_TAGS:
        raise of.refuse(value, f"a mapping of at most {MOST_TAGS} tags")
    for number, (key, text) in enumerate(value.items(), start=1):
        yield from _string(Parameter(f"{of.name}.{number}.Key"), key)
        yield from _string(Parameter(f"{of.name}.{number}.Value"), text)


_WIRE: Final[Mapping[str, Callable[[Parameter, object], Iterator[tuple[str, str]]]]] = {
    "string": _string,
    "integer": _integer,
    "boolean": _boolean,
    "tags": _tags,
}
