"""Files of routes, in and out: any spreadsheet's CSV to a routes frame, and a frame to a file.

::

    path, text, buffer ──text──▶ UTF-8 bytes ──heads──▶ head, delimiter, fields
                                                           │
    routes frame ◀──read── clean columns ◀──cells── raw columns ◀──records── body
         │
         └──write──▶ CSV that a spreadsheet opens safely and `read_routes` reads back equal

===========  =========================================================================
`text`       what bytes mean: encodings, and what is no text at all
`heads`      where the table begins, what parts its cells, which column is which field
`records`    where a row begins and ends: a fast parser and an exact one that agree
`cells`      what a cell means: blanks, protection, case, absence, weight words
`read`       `read_routes`: the order of the above, and the report in ``attrs["read"]``
`write`      `write_routes`: quoting, protection, the atomic replacement of a file
===========  =========================================================================

Dirty cells are data, for the audit to judge. Only a file that cannot be taken as a table of
routes at all raises `vcokit.errors.InventoryError`, which names file, line and remedy.
"""

from __future__ import annotations

from vcokit.inventory.read import read_routes
from vcokit.inventory.write import write_routes

__all__ = ["read_routes", "write_routes"]
