"""Files of routes, in and out: any spreadsheet's table to a routes frame, and a frame to a file.

::

    sources ─▶ encoding ─▶ header ┬─ csv_reader ───▶┐
           │                      ├─ json_parquet ─▶├─▶ clean ─▶ read ─▶ routes frame ─▶ write
           └──────────────────────┴─ excel_reader ─▶┘

===============  ============================================================================
`sources`        paths, patterns, standard input, open files; compressed files, and what a file
                 may become in memory; of which format each is
`encoding`       bytes of any encoding as UTF-8 text
`header`         where the table begins, what separates its cells, which column is which field
`csv_reader`     where a row begins and ends, on which line
`excel_reader`   workbooks: sheets, merged cells, what numbers and dates are as text
`json_parquet`   JSON lines or a list; Parquet
`clean`          what a cell means: blanks, protection, case, weight words, masks, several networks
`read`           `read_routes`: the order of the above, and the report in ``attrs["read"]``;
                 `read_partitions`: many files as one Dask frame
`write`          `write_routes`: quoting, protection, the atomic replacement of a file
===============  ============================================================================

Dirty cells are data, for the audit to judge. Only a file that cannot be taken as a table of
routes at all raises `vcokit.errors.InventoryError`, which names file, line and remedy.
"""

from __future__ import annotations

from vcokit.inventory.read import read_partitions, read_routes
from vcokit.inventory.write import write_routes

__all__ = ["read_partitions", "read_routes", "write_routes"]
