"""Converts frames made by hand to their schema."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from vcokit._text import as_text
from vcokit.errors import InputError
from vcokit.schema.glance import Bytes, first_bytes
from vcokit.schema.tables import (
    CATEGORY,
    INT,
    ROUTES,
    ROUTES_REQUIRED,
    STR,
    UNLISTED,
    frame,
    missing,
)

#: Blanks of any script and zero-width characters: a cell with only these is empty.
BLANKS: Final = (
    "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f \x85\xa0\u1680"
    "\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
    "\u200b\u200c\u200d\u2060\ufeff"
)

#: The form of an integer weight: no sign on zero, no leading zero, and the ``.0`` that
#: spreadsheets add. Only ASCII digits; 18 digits fit an int64.
_WEIGHT: Final = r"(?:0|-?[1-9][0-9]{0,17})(?:\.0+)?"
#: The largest int64; a larger number stays text.
_MOST: Final = np.iinfo(np.int64).max

#: How to get each kind of frame.
_HOW_TO_GET: Final[Mapping[str, str]] = {
    "routes": "Read a file with vk.read_routes(path)",
    "live routes": "Ask the cloud for them with vk.live_routes(client, routes)",
    "connections": "Ask the cloud for them with vk.live_connections(client)",
    "findings": "Make them with vk.audit_routes(routes)",
    "steps": "Take them from rollout.frame() or vk.Journal.read(path).steps()",
    "calls": "Take them from rollout.calls() or vk.Journal.read(path).calls()",
}


def conform_routes(routes: pd.DataFrame, names: Iterable[str] = tuple(ROUTES)) -> pd.DataFrame:
    """Return any frame of routes with the schema `ROUTES` and a new ``RangeIndex``.

    The columns of a frame from `read_routes` are unchanged. In a frame made by hand, strings may
    be objects, weights may be integers, floats or text, and the optional columns
    (``description``, ``weight_text``, ``source``, ``line``) may be absent. Blank strings count as
    missing. Other columns are dropped.

    Parameters
    ----------
    routes : DataFrame
        With at least the columns `ROUTES_REQUIRED`.
    names : iterable of str
        Wanted columns, by default all; the values of the others are all missing.

    Returns
    -------
    DataFrame
        With the schema `ROUTES`; row *i* is row *i* of the given frame.

    Raises
    ------
    InputError
        If required columns are missing (the error names all) or a column cannot be converted to
        its dtype.

    Examples
    --------
    >>> hand = pd.DataFrame({"region_id": ["r"], "vpn_connection_id": ["vco-1"],
    ...     "route_dest": ["10.0.0.0/8"], "next_hop": ["vco-1"], "weight": ["100.0"]})
    >>> conform_routes(hand)["weight"].tolist()
    [100]
    """
    require_columns(routes, ROUTES_REQUIRED, what="routes")
    columns: dict[str, object] = {}
    for name in names:
        if name not in routes.columns or name in ("weight", "weight_text"):
            continue
        column = routes[name]
        dtype = ROUTES[name]
        columns[name] = text_column(column) if dtype == STR else _cast(column, dtype)
    weight, weight_text = split_weight(routes["weight"])
    if "weight_text" in routes.columns and routes["weight_text"].notna().any():
        earlier = text_column(routes["weight_text"])
        doubtful = weight.notna() & earlier.notna()
        if doubtful.any():
            earlier = earlier.mask(doubtful)
        weight_text = weight_text.fillna(earlier) if weight_text.notna().any() else earlier
    given = {**columns, "weight": weight, "weight_text": weight_text}
    return frame(ROUTES, given, copy=False)


def require_columns(frame: pd.DataFrame, names: Iterable[str], *, what: str) -> None:
    """Raise `InputError` with all required columns that are missing in a frame or are in it twice.

    Parameters
    ----------
    frame : DataFrame
        Any frame.
    names : iterable of str
        Columns it must have.
    what : str
        Kind of the frame, for the message and its remedy: ``routes``, ``live routes``,
        ``connections``, ``findings``, ``steps`` or ``calls``.
    """
    if not isinstance(frame, pd.DataFrame):
        raise InputError(
            f"{what} must be a DataFrame, not {type(frame).__name__}",
            remedy=_HOW_TO_GET.get(what, _HOW_TO_GET["routes"]),
        )
    names = list(names)
    missing = [name for name in names if name not in frame.columns]
    if missing:
        raise InputError(
            f"{what} lacks the column{'s' if len(missing) > 1 else ''} {', '.join(missing)}",
            remedy="Rename the columns, or read the file with vk.read_routes(path, columns={...})"
            if what.startswith("routes")
            else _HOW_TO_GET.get(what),
        )
    twice = [name for name in names if isinstance(frame[name], pd.DataFrame)]
    if twice:
        raise InputError(f"{what} has more than one column {', '.join(twice)}", remedy="Drop one")


def text_column(column: pd.Series) -> pd.Series:
    """Return a column as ``str`` with a new index and with blank strings as missing.

    Parameters
    ----------
    column : Series
        Strings, objects or anything with a text form; a lone surrogate is escaped.

    Returns
    -------
    Series of str
        With the same length.
    """
    text = column if column.dtype == STR else pd.Series(as_text(column).array)
    cells = pa.array(text.array, from_pandas=True).cast(pa.large_string())
    if not may_be_blank(first_bytes(cells)) and pc.min(pc.binary_length(cells)).as_py() != 0:
        return pd.Series(text.array)
    blank = pc.equal(pc.utf8_ltrim(cells, characters=BLANKS), "")
    if not pc.any(blank).as_py():
        return pd.Series(text.array)
    return pd.Series(pc.if_else(blank, pa.scalar(None, cells.type), cells), dtype=STR)


def may_be_blank(codes: Bytes) -> bool:
    """Return whether any byte may belong to `BLANKS`: it is not a printable ASCII character."""
    return bool(((codes - np.uint8(ord("!"))) > ord("~") - ord("!")).any())  # below !, uint8 wraps


def destination_routes(live: pd.DataFrame) -> pd.DataFrame:
    """Return the destination routes among live routes.

    Routes learnt by BGP and connections that cannot be listed are not destination routes.

    Parameters
    ----------
    live : DataFrame
        With or without a column ``route_entry_type``.

    Raises
    ------
    InputError
        If it is not a frame.
    """
    require_columns(live, (), what="live routes")
    if "route_entry_type" not in live.columns:
        return live
    custom = live["route_entry_type"].fillna("custom") == "custom"
    return live[custom.to_numpy(dtype=bool)]


def is_unlisted(live: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Return which rows of a frame with ``route_entry_type`` are connections without a listing."""
    return (live["route_entry_type"] == UNLISTED).fillna(False).to_numpy(dtype=np.bool_)


def unlisted_connections(live: pd.DataFrame) -> dict[str, str]:
    """Return the connections among live routes that could not be listed, with the reason.

    Parameters
    ----------
    live : DataFrame
        With or without the columns ``route_entry_type`` and ``state``.

    Examples
    --------
    >>> live = pd.DataFrame({"vpn_connection_id": ["vco-a", "vco-b"],
    ...     "route_entry_type": ["custom", "unlisted"], "state": ["published", "Vco.NotFound"]})
    >>> unlisted_connections(live)
    {'vco-b': 'Vco.NotFound'}
    """
    if not {"route_entry_type", "state"} <= set(live.columns):
        return {}
    rows = live[is_unlisted(live)]
    return dict(zip(rows["vpn_connection_id"], rows["state"], strict=True))


def split_weight(column: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Split a column of weights into integers and the text of all other cells.

    Text counts as an integer in the form that a person or a spreadsheet writes: ASCII digits
    without leading zeros, a minus but no plus, optionally with ``.0``. ``0100``, ``+100``, ``1e2``
    and full-width digits are text.

    Parameters
    ----------
    column : Series
        Integers, floats, strings or objects.

    Returns
    -------
    weight : Series of Int64
        NA if the cell is empty or not an integer.
    weight_text : Series of str
        The text of the cell if it is not an integer, else NA.

    Examples
    --------
    >>> weight, text = split_weight(pd.Series(["100", "0.0", "1e2", ""]))
    >>> weight.tolist(), text.tolist()
    ([100, 0, <NA>, <NA>], [nan, nan, '1e2', nan])
    """
    beyond = pd.api.types.is_unsigned_integer_dtype(column.dtype) and (column > _MOST).any()
    if pd.api.types.is_integer_dtype(column.dtype) and not beyond:
        weight = _cast(column, INT)
        return weight, missing(STR, weight.index)
    text = text_column(_plain_floats(column))
    whole = text.str.fullmatch(_WEIGHT).fillna(False).astype(bool)
    digits = text.where(whole).str.replace(r"\.0+$", "", regex=True)
    weight = pd.Series(pd.array([pd.NA] * len(text), dtype=INT), index=text.index)
    # As an array: aligning a Series would convert to floats, which cannot represent 2**53 + 1.
    weight[whole] = digits[whole].astype("int64").array
    return weight, text.where(~whole)


def _plain_floats(column: pd.Series) -> pd.Series:
    """Return whole floats as text without an exponent, so that 1e18 is read as an integer."""
    if not pd.api.types.is_float_dtype(column.dtype):
        return column
    values = pd.Series(column.array).astype("float64")
    whole = np.isfinite(values) & (values == np.floor(values)) & (values.abs() < 1e18)
    text = values.astype(STR)
    text[whole] = values[whole].astype("int64").astype(STR)
    return text.where(values.notna())


def _cast(column: pd.Series, dtype: Any) -> pd.Series:
    try:
        if dtype == CATEGORY and column.dtype in ("object", "string"):
            return text_column(column).astype(CATEGORY)
        values = pd.Series(column.array)
        return values if values.dtype == dtype else values.astype(dtype)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"column {column.name!r} cannot be read as {dtype}: {error}",
            remedy="Leave the column out, or fix its values",
        ) from None
