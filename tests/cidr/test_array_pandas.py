"""The column type passes pandas' own suite for extension arrays.

The suite is a class of tests and fixtures that pandas ships for makers of such types. Below stand
the columns it asks for, and what it asks the maker to declare, each with its reason.
"""

from __future__ import annotations

import pandas as pd
import pytest
from pandas.tests.extension.base import ExtensionTests
from pandas.tests.extension.conftest import (  # noqa: F401 - fixtures the suite leaves as they are
    all_arithmetic_operators,
    all_boolean_reductions,
    all_data,
    all_numeric_accumulations,
    all_numeric_reductions,
    all_reductions,
    as_array,
    as_frame,
    as_series,
    box_in_series,
    comparison_op,
    data_for_twos,
    data_repeated,
    fillna_method,
    groupby_apply_op,
    invalid_scalar,
    na_cmp,
    na_value,
    use_numpy,
    using_nan_is_na,
)

from vcokit import CidrArray, CidrDtype

A, B, C = "10.0.0.0/8", "10.0.0.0/16", "192.168.0.0/24"


@pytest.fixture
def dtype() -> CidrDtype:
    """The type itself."""
    return CidrDtype()


@pytest.fixture
def data() -> CidrArray:
    """Ten prefixes of all lengths, the ends of the address space among them."""
    ends = ["0.0.0.0/0", "255.255.255.255/32", "0.0.0.0/32", "128.0.0.0/1", "10.0.0.0/8"]
    return CidrArray([*ends, *(f"172.16.{n}.0/24" for n in range(5))])


@pytest.fixture
def data_missing() -> CidrArray:
    """A missing one, then one."""
    return CidrArray([None, A])


@pytest.fixture
def data_for_sorting() -> CidrArray:
    """B, C, A of A < B < C; the first two differ in length alone."""
    return CidrArray([B, C, A])


@pytest.fixture
def data_missing_for_sorting() -> CidrArray:
    """B, missing, A."""
    return CidrArray([B, None, A])


@pytest.fixture
def data_for_grouping() -> CidrArray:
    """B, B, missing, missing, A, A, B, C."""
    return CidrArray([B, B, None, None, A, A, B, C])


class TestPandasSuite(ExtensionTests):
    """pandas' suite; two declarations that it provides for, and one test that says less."""

    def _supports_reduction(self, ser: pd.Series, op_name: str) -> bool:
        """Prefixes have an order: they have a first, a last and a count, and no sum."""
        return op_name in {"min", "max", "count"}

    def _cast_pointwise_result(self, op_name, obj, other, pointwise_result):
        """Comparisons are nullable booleans, as of pandas' own types whose missing value is NA."""
        return pointwise_result.astype("boolean")

    def test_plot_on_y_axis(self, plot_data: pd.DataFrame) -> None:
        """No number, no height: pandas refuses to plot it, as its intervals and categories."""
        with pytest.raises(TypeError, match="no numeric data to plot"):
            super().test_plot_on_y_axis(plot_data)


def test_what_is_declared() -> None:
    """Of the suite, what is ours is what stands above; nothing is skipped or expected to fail."""
    ours = {name for name in vars(TestPandasSuite) if not name.startswith("__")}
    assert ours == {"_supports_reduction", "_cast_pointwise_result", "test_plot_on_y_axis"}
    marks = [mark.name for mark in getattr(TestPandasSuite, "pytestmark", [])]
    assert not set(marks) & {"skip", "skipif", "xfail"}
