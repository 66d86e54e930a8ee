r"""Escapes external text for each format.

========  ====================================================================================
all       control, bidirectional and invisible characters are escaped: ``\x1b``, ``\u202e``
JSON      with JSON's own escapes, so that a parser gets the original text
CSV       by `vcokit._text.csv_cell`
Markdown  markup is escaped; text that would be a mention or a link is written as code
XML       by the standard library, after the above, which escapes what XML cannot contain
HTML      by the template engine, or inserted as text by the page's own script
SARIF     braces are doubled, brackets that would make a link are escaped
========  ====================================================================================
"""

from __future__ import annotations

import json
import re
from html import escape
from typing import Any, Final

from vcokit._text import printable

_MARKS: Final = re.compile(r"([\\`*_\[\]|~$])")
#: Text that a code host turns into a mention, a reference or a link.
_CALLS: Final = re.compile(r"[@#]|:\S*:|:/|www\.|\bGH-\d|\b[0-9a-f]{7}", re.IGNORECASE)


def dump_json(value: Any, *, indent: int | None = None) -> str:
    r"""Return a value as JSON in which no character is invisible.

    Examples
    --------
    >>> print(dump_json("主\x7f\u202e<"))
    "主\u007f\u202e<"
    """
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    if text.isascii() and "\x7f" not in text:
        return text
    return "".join(map(_escape_char, text))


def _escape_char(letter: str) -> str:
    if letter.isprintable() or letter == "\n":
        return letter
    return json.dumps(letter)[1:-1] if letter > "\x7f" else f"\\u{ord(letter):04x}"


def markdown_cell(value: object) -> str:
    r"""Return a cell of a Markdown table that shows a text without any effect of its markup.

    Examples
    --------
    >>> print(markdown_cell("a|b <i>"), markdown_cell("@all"), markdown_cell("`@a`"))
    a\|b &lt;i&gt; `@all` `` `@a` ``
    """
    text = printable(value)
    if _CALLS.search(text):
        return code_span(text)
    return escape(_MARKS.sub(r"\\\1", text), quote=False)


def code_span(value: object) -> str:
    r"""Return a text as Markdown code; only ``|`` is escaped, because it would end a table cell.

    Examples
    --------
    >>> print(code_span("10.0.0.0/8"), code_span("a``b|c"))
    `10.0.0.0/8` ```a``b\|c```
    """
    text = printable(value)
    if not text.strip():
        return ""
    # In a table a backslash before the bar is an escape; a backslash of the text would be lost.
    if re.search(r"\\\|", text):
        return f"<code>{escape(_MARKS.sub(_escape_mark, text), quote=False)}</code>"
    fence = "`" * (max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    blank = " " if text[0] in "` " or text[-1] in "` " else ""
    return f"{fence}{blank}{text.replace('|', chr(92) + '|')}{blank}{fence}"


def _escape_mark(mark: re.Match[str]) -> str:
    return f"\\{mark[1]}"


def sarif_text(value: object) -> str:
    r"""Return the plain text of a SARIF message, without placeholders and links.

    Braces are doubled (SARIF 2.1.0, 3.11.5). Brackets that are followed by an address in
    parentheses are escaped (3.11.6).

    Examples
    --------
    >>> print(sarif_text("{0} [a](b) [c]"))
    {{0}} \[a\](b) \[c\]
    """
    text = printable(value).replace("{", "{{").replace("}", "}}")
    return re.sub(r"[\[\]]", r"\\\g<0>", text) if "](" in text else text
