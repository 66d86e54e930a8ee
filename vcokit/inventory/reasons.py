"""What a library said of a file, fit for a message of one line."""

from __future__ import annotations

from typing import Final

from vcokit.plain import visible

_SHOWN: Final = 200


def reason_of(error: BaseException) -> str:
    r"""Return the text of an error, shortened, on one line, control characters spelt out.

    Examples
    --------
    >>> print(reason_of(ValueError("type \x0f\nat 7.")), reason_of(EOFError()))
    type \x0f at 7 EOFError
    """
    text = visible(" ".join(str(error).split())).rstrip(". ")
    return text[:_SHOWN] or type(error).__name__
