"""Whole-column prefix algebra as ``Series.cidr``.

The accessor reads a column of text once (see `vcokit.cidr.parse` for the form and the flags) and
answers from the parsed columns; every answer has the index of the column it was asked of.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pandas as pd

from vcokit.cidr import array as _registers_the_dtype  # noqa: F401
from vcokit.cidr.parse import Prefixes, parse, to_text
from vcokit.cidr.relations import NONE, closest_cover


@pd.api.extensions.register_series_accessor("cidr")
class CidrAccessor:
    """Whole-column prefix algebra on a Series of text.

    Parameters
    ----------
    series : Series of str
        IPv4 prefixes ``a.b.c.d/len``; rows that hold none are kept and flagged.

    Examples
    --------
    >>> import vcokit
    >>> routes = pd.Series(["10.0.0.0/8", "10.1.2.3/16", "10.1.0.0"])
    >>> routes.cidr.normalized().tolist()
    ['10.0.0.0/8', '10.1.0.0/16', nan]
    >>> routes.cidr.closest_cover().tolist()
    [-1, 0, -1]
    """

    def __init__(self, series: pd.Series) -> None:
        is_text = series.dtype == "object" or isinstance(series.dtype, pd.StringDtype)
        if not is_text:
            raise AttributeError(f".cidr works on text, not on {series.dtype}")
        self._series = series
        self._parsed: Prefixes | None = None

    @property
    def _prefixes(self) -> Prefixes:
        if self._parsed is None:
            self._parsed = parse(self._series)
        return self._parsed

    def _answer(self, values: Any) -> pd.Series:
        array = values.array if isinstance(values, pd.Series) else values
        return pd.Series(array, index=self._series.index, name=self._series.name)

    @property
    def network(self) -> pd.Series:
        """Network address as a number, host bits cleared; Series of UInt32, NA where none."""
        parsed = self._prefixes
        return self._answer(pd.arrays.IntegerArray(parsed.network.copy(), ~parsed.valid))

    @property
    def prefix_length(self) -> pd.Series:
        """Prefix length 0-32; Series of UInt8, NA where there is no prefix."""
        parsed = self._prefixes
        return self._answer(pd.arrays.IntegerArray(parsed.length.copy(), ~parsed.valid))

    @property
    def flags(self) -> pd.Series:
        """What was seen in each cell (see `vcokit.cidr.parse`); Series of uint8, 0: all is well."""
        return self._answer(self._prefixes.flags.copy())

    def normalized(self) -> pd.Series:
        """Return each prefix with its host bits cleared; Series of str, NA where there is none."""
        return self._answer(to_text(self._prefixes.network, self._prefixes.length))

    def closest_cover(self, groups: pd.Series | None = None) -> pd.Series:
        """Return the position of the closest shorter prefix that holds each prefix.

        Parameters
        ----------
        groups : Series, optional
            Of the same length; only prefixes of one group are looked at together, and rows
            whose group is missing are left out.

        Returns
        -------
        Series of int64
            Position (not label) in the column; -1 where no prefix holds it, or there is none.

        Examples
        --------
        >>> import vcokit
        >>> nets = pd.Series(["10.0.0.0/8", "10.1.0.0/16", "10.2.0.0/16"])
        >>> nets.cidr.closest_cover(groups=pd.Series(["a", "a", "b"])).tolist()
        [-1, 0, -1]
        """
        parsed = self._prefixes
        among = parsed.valid
        codes = None
        if groups is not None:
            if len(groups) != len(parsed):
                raise ValueError(f"groups has {len(groups)} rows, the column {len(parsed)}")
            codes = np.asarray(pd.factorize(cast(Any, groups.array))[0], dtype=np.int64)
            among = among & (codes >= 0)
        rows = np.flatnonzero(among)
        inside = closest_cover(
            parsed.network[rows], parsed.length[rows], None if codes is None else codes[rows]
        )
        result = np.full(len(parsed), NONE, dtype=np.int64)
        result[rows] = np.where(inside >= 0, rows[inside], NONE)
        return self._answer(result)
