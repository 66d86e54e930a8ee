"""Text that came from outside, made safe to show."""

from __future__ import annotations

import unicodedata

import pandas as pd


def visible(value: object) -> str:
    r"""Return text in which control characters are spelt out, and a missing value is empty.

    Examples
    --------
    >>> print(visible("a\x1b[31mb"), visible(None))
    a\x1b[31mb
    """
    if value is None or value is pd.NA or (isinstance(value, float) and value != value):
        return ""
    text = str(value)
    if text.isprintable():  # nearly all text: ten times as fast
        return text
    return "".join(
        letter.encode("unicode_escape").decode("ascii")
        if unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
        else letter
        for letter in text
    )
