"""Reading and writing files of routes: from any table to a routes frame, and from frame to file.

::

    sources ─▶ encoding ─▶ header ┬─ csv_reader ───▶┐
           │                      ├─ json_parquet ─▶├─▶ clean ─▶ read ─▶ routes frame ─▶ write
           └──────────────────────┴─ excel_reader ─▶┘

===============  ============================================================================
`sources`        paths, patterns, standard input, open files; decompression, limits on the memory
                 that a file may use; detection of the format
`encoding`       converts bytes of any encoding to UTF-8 text
`header`         finds the header, the delimiter, and which column is which field
`csv_reader`     splits text into rows with their line numbers
`excel_reader`   workbooks: sheets, merged cells, numbers and dates as text
`json_parquet`   JSON lines or a JSON list; Parquet
`terraform`      routes in Terraform: its language, and ``terraform show -json``
`clean`          what a cell means: blanks, protection, case, weight words, masks, several networks
`read`           `read_routes`: runs all of the above, and reports in ``attrs["read"]``;
                 `read_partitions`: many files as one Dask frame
`write`          `write_routes`: quoting, protection, atomic replacement of a file
===============  ============================================================================

Dirty cells are kept as data, and the audit reports them. Only a file that cannot be read as a table
of routes at all raises `vcokit.errors.InventoryError`, which names file, line and remedy.
"""

from __future__ import annotations

from vcokit.inventory.read import read_partitions, read_routes
from vcokit.inventory.write import write_routes

__all__ = ["read_partitions", "read_routes", "write_routes"]
