"""Tags of connections, and the filter ``Tag.N.Key``, ``Tag.N.Value`` of a listing.

The limits are the vendor's: at most 20 tags in a filter, keys of 1 to 64 characters, values of up
to 128, neither with ``aliyun`` or ``acs:`` in front nor with a URL in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

from vcokit.simulator.codes import Refusal

#: Key and value of each tag.
Tags: TypeAlias = tuple[tuple[str, str], ...]

MOST: Final = 20
LONGEST_KEY: Final = 64
LONGEST_VALUE: Final = 128
_PARAMETER: Final = re.compile(r"Tag\.([1-9][0-9]{0,3})\.(Key|Value)")


def read_tags(written: Mapping[str, str] | Iterable[Iterable[str]]) -> Tags:
    """Return tags as pairs.

    Raises
    ------
    ValueError
        If a tag is none that the cloud could hold.

    Examples
    --------
    >>> read_tags({"env": "prod"})
    (('env', 'prod'),)
    """
    pairs = written.items() if isinstance(written, Mapping) else written
    tags = tuple((str(key), str(value)) for key, value in pairs)
    for key, value in tags:
        if not _is_key(key) or not _is_value(value):
            raise ValueError(f"tag {key!r} = {value!r}: up to {LONGEST_KEY} and {LONGEST_VALUE}")
    return tags


def read_filter(parameters: Mapping[str, str]) -> Tags:
    """Return the tags that a call asks for.

    Raises
    ------
    Refusal
        ``SizeLimitExceeded.TagNum``, ``InvalidParameter.TagKey``, ``InvalidParameter.TagValue``
        or ``Duplicated.TagKey``.
    """
    found: dict[int, dict[str, str]] = {}
    for name, value in parameters.items():
        match = _PARAMETER.fullmatch(name)
        if match:
            found.setdefault(int(match[1]), {})[match[2]] = value
    if len(found) > MOST:
        raise Refusal("SizeLimitExceeded.TagNum")
    tags = tuple((tag.get("Key", ""), tag.get("Value", "")) for _, tag in sorted(found.items()))
    if not all(_is_key(key) for key, _ in tags):
        raise Refusal("InvalidParameter.TagKey")
    if not all(_is_value(value) for _, value in tags):
        raise Refusal("InvalidParameter.TagValue")
    if len({key for key, _ in tags}) < len(tags):
        raise Refusal("Duplicated.TagKey")
    return tags


def matches(wanted: Tags, tags: Tags) -> bool:
    """Tell whether a connection has all tags that are wanted; an empty value asks for the key."""
    have = dict(tags)
    return all(key in have and value in ("", have[key]) for key, value in wanted)


def _is_key(text: str) -> bool:
    return 0 < len(text) <= LONGEST_KEY and _is_plain(text)


def _is_value(text: str) -> bool:
    return len(text) <= LONGEST_VALUE and _is_plain(text)


def _is_plain(text: str) -> bool:
    return not text.startswith(("aliyun", "acs:")) and not re.search("https?://", text)
