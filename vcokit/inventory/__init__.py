"""Files of routes, in and out: any spreadsheet's table to a routes frame, and a frame to a file.

::

    sources ──files──▶ File ┬─text, heads, records─▶┐
                            ├─workbook, excel──────▶├─ Table ─cells, shape, read─▶ routes frame
                            ├─jsonl────────────────▶│                                  │
                            └─parquet──────────────▶┘       CSV, JSON lines, Parquet ◀─write

===========  =========================================================================
`files`      which files are meant, and of which format each is
`bound`      what a file may become in memory, asked before anything is laid out
`packed`     gzip and zstd, unpacked block by block
`text`       what bytes mean: encodings, and what is no text at all; `narrow` which it is
`heads`      where the table begins, what parts its cells, which column is which field
`records`    where a row begins and ends: a fast parser and an exact one that agree
`workbook`   what a workbook would become in memory, known before it is opened
`excel`      workbooks: sheets, merged cells, what numbers and dates are as text
`jsonl`      JSON lines; `parquet` Parquet
`table`      what every format comes to: raw columns under a head
`cells`      what a cell means: blanks, protection, case, absence, weight words
`shape`      network and mask in two columns, several networks in a cell
`read`       `read_routes`: the order of the above, and the report in ``attrs["read"]``
`write`      `write_routes`: quoting, protection, the atomic replacement of a file
`progress`   how far reading has come; `notes` what reading noticed, in words
===========  =========================================================================

Dirty cells are data, for the audit to judge. Only a file that cannot be taken as a table of
routes at all raises `vcokit.errors.InventoryError`, which names file, line and remedy.
"""

from __future__ import annotations

from vcokit.inventory.read import read_routes
from vcokit.inventory.write import write_routes

__all__ = ["read_routes", "write_routes"]
