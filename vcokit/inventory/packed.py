"""Packed files (gzip, zstd) unpacked, with an end to what they may become.

A megabyte of gzip can hold a gigabyte of nothing: see `vcokit.inventory.bound`.
"""

from __future__ import annotations

import gzip
import io
import zlib
from typing import IO, Any, Final

import pyarrow as pa

from vcokit.errors import InventoryError
from vcokit.inventory.bound import swollen
from vcokit.inventory.reasons import reason_of

GZIP: Final = b"\x1f\x8b"
ZSTD: Final = b"\x28\xb5\x2f\xfd"

_BLOCK: Final = 1 << 20


def unpacked(name: str, data: bytes) -> tuple[bytes, list[str]]:
    """Return what packed bytes hold, and a note of it; other bytes as they are.

    Parameters
    ----------
    name : str
        Name of the source, for errors.
    data : bytes
        Known by what they begin with, whatever the name.

    Raises
    ------
    InventoryError
        If the file is damaged or cut off, or becomes far larger than any inventory.

    Examples
    --------
    >>> import gzip
    >>> unpacked("a.csv.gz", gzip.compress(b"cidr"))
    (b'cidr', ['unpacked with gzip'])
    """
    kind = "gzip" if data.startswith(GZIP) else "zstd" if data.startswith(ZSTD) else None
    if kind is None:
        return data, []
    packed = io.BytesIO(data)
    try:
        content = _drained(name, packed, _opened(kind, packed))
    except MemoryError:
        raise
    except (OSError, EOFError, ValueError, zlib.error, pa.ArrowException) as error:
        raise InventoryError(
            f"a damaged {kind} file: {reason_of(error)}", source=name, remedy="Fetch the file again"
        ) from None
    return content, [f"unpacked with {kind}"]


def _drained(name: str, packed: IO[bytes], file: Any) -> bytes:
    content = io.BytesIO()
    while part := file.read(_BLOCK):
        content.write(part)
        seen = content.tell()
        if swollen(seen, packed.tell()):
            raise InventoryError(
                f"a packed file of more than {seen >> 20:,} MiB, which no inventory has",
                source=name,
                remedy="Unpack it, look what it is, and read that file",
            )
    return content.getvalue()


def _opened(kind: str, packed: IO[bytes]) -> Any:
    if kind == "gzip":
        return gzip.GzipFile(fileobj=packed)
    return pa.CompressedInputStream(pa.PythonFile(packed, "r"), "zstd")
