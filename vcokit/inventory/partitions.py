"""`read_partitions`: many files as one Dask frame, a partition a file."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pandas as pd

from vcokit.errors import InputError
from vcokit.inventory.read import read_routes
from vcokit.inventory.sources import Source, find_sources


def read_partitions(source: Source | list[Source], *more: Source, **options: Any) -> Any:
    r"""Read many files as a Dask frame of routes, each file when its partition is worked on.

    Parameters
    ----------
    source, *more : str, path, or a list of these
        Paths and patterns, as in `read_routes`. Each worker reads its files by these names.
    **options
        Of `read_routes`, for every file.

    Returns
    -------
    dask.dataframe.DataFrame
        A partition per file, with the columns that the first one has; what another file lacks is
        missing there, what it has more is left out.

    Raises
    ------
    InputError
        If Dask is not installed, a file is not there, or the first one cannot be read.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name, network in [("a.csv", "10.0.0.0/8"), ("b.csv", "10.1.0.0/16")]:
    ...         text = f"region,connection,cidr,weight\ncn-a,vco-a,{network},100\n"
    ...         _ = pathlib.Path(folder, name).write_text(text)
    ...     routes = read_partitions(pathlib.Path(folder, "*.csv"))
    ...     routes.npartitions, routes.compute()["route_dest"].tolist()
    (2, ['10.0.0.0/8', '10.1.0.0/16'])
    """
    try:
        dask: Any = import_module("dask.dataframe")  # ships no types for what is used here
    except ImportError as error:
        raise InputError(
            f"Dask is not installed ({error})", remedy="pip install 'vcokit[dask]'"
        ) from None
    files = find_sources([source, *more])
    first = read_routes(files[0], **options)
    meta = dask.utils.clear_known_categories(first.iloc[:0], cols=["source"])
    meta.attrs = {}
    return dask.from_map(_read, files, meta=meta, columns=list(first), read=options)


def _read(file: Source, columns: list[str], read: dict[str, Any]) -> pd.DataFrame:
    routes = read_routes(file, **read).reindex(columns=columns)
    routes.attrs = {}
    return routes
