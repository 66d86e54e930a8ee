"""The journal's SQLite file: create it atomically, recognize it, open it in a mode its disk allows.

::

    place_of(path)      the absolute path, with links resolved
    make(path, fill)    creates a temporary file, then renames it: the journal is complete or absent
    format_of(path)     checks that it is a journal and returns its format; changes nothing
    connect(path)       WAL, synchronous FULL; DELETE if the disk does not support WAL
    Files(path)         checks that the open files still exist under their names

SQLite keeps its latest writes in files beside the journal, named after it: `BESIDE`. Files left by
another journal would be used as those of the new one, so no new journal is created beside them. A
journal with two names would have two sets of these files, so it is not opened for writing.

WAL needs memory that all processes share; without it, SQLite keeps the old mode or fails
(https://www.sqlite.org/wal.html). Then the journal uses DELETE mode: slower, but as safe.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from vcokit.errors import JournalError, Remedy

#: ``PRAGMA application_id`` of a journal ("vcok"); the format of its tables; the oldest known one.
APPLICATION_ID: Final = 0x76636F6B
FORMAT: Final = 4
OLDEST: Final = 3

#: Seconds to wait for another's lock: in DELETE mode a reader blocks the writer for a moment.
_PATIENCE: Final = 30.0

#: Suffixes of SQLite's files beside a journal: the latest writes, their index, the rollback data.
BESIDE: Final = ("-wal", "-shm", "-journal")


def place_of(path: str | os.PathLike[str]) -> Path:
    """Return the absolute path of a journal, with links resolved.

    Raises
    ------
    JournalError
        If it is not a valid path, or the working directory is gone.
    """
    try:
        return Path(os.path.realpath(path))
    except (OSError, ValueError) as error:
        raise JournalError(f"no path ({error})", path=Path(path), remedy="Check the path") from None


def place_of_new(path: str | os.PathLike[str]) -> Path:
    """Return the path of a new journal: a link of that name is in the way and is not followed."""
    return place_of(Path(path).parent) / Path(path).name


# -- create -------------------------------------------------------------------------------------


def make(path: Path, fill: Callable[[sqlite3.Connection], None]) -> sqlite3.Connection:
    """Create a journal, completely or not at all, and open it for writing.

    Parameters
    ----------
    path : Path
        Locked by the caller.
    fill : callable
        Creates tables and rows.

    Raises
    ------
    JournalError
        If the file exists already, files of another journal are beside it, or it cannot be
        created.
    """
    if os.path.lexists(path):
        raise JournalError(
            "this journal exists already",
            path=path,
            remedy=Remedy("Resume it: {resume}. Or choose another name", resume=str(path)),
        )
    refuse_leftovers(path)
    unborn = None
    try:
        descriptor, name = tempfile.mkstemp(prefix=f"{path.name}-new", dir=path.parent)
        os.close(descriptor)
        unborn = Path(name)
        with contextlib.closing(_open(unborn, "rw")) as connection:
            connection.execute("PRAGMA journal_mode = MEMORY")
            with transaction(connection):
                fill(connection)
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version = {FORMAT}")
        unborn.rename(path)
        try:
            sync(path.parent)
            return connect(path, write=True)
        except BaseException:
            path.unlink()
            raise
    except (OSError, sqlite3.Error) as error:
        raise refused(path, "made", error) from None
    finally:
        if unborn is not None:
            with contextlib.suppress(OSError):
                unborn.unlink(missing_ok=True)


def sync(folder: Path) -> None:
    """Write the names in a folder to disk."""
    with contextlib.suppress(OSError):  # on systems where folders cannot be opened
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def refuse_leftovers(path: Path) -> None:
    """Refuse to create a journal beside files that an earlier one of the same name left.

    They are not deleted, because they may be all that is left of a killed rollout's last writes.

    Raises
    ------
    JournalError
        It names the files.
    """
    left = [each.name for each in _all_beside(path) if os.path.lexists(each)]
    if left and not os.path.lexists(path):
        raise JournalError(
            f"files of an earlier journal of this name are beside it: {', '.join(left)}",
            path=path,
            remedy="Put that journal back and resume it, or choose another name; once nobody "
            f"needs what it did last, delete {' and '.join(left)}",
        )


def _all_beside(path: Path) -> list[Path]:
    return [path.with_name(path.name + end) for end in BESIDE]


def times_of(path: Path) -> list[tuple[int, int]]:
    """Return times and sizes of a journal's files, which change with every write."""
    found = []
    for each in (path, path.with_name(path.name + "-wal")):
        with contextlib.suppress(OSError):
            status = each.stat()
            found.append((status.st_mtime_ns, status.st_size))
    return found


# -- errors -------------------------------------------------------------------------------------


def refused(path: Path, done: str, why: Exception) -> JournalError:
    """Return the error for a journal that cannot be created or opened on its disk."""
    remedy = "Make room on its disk, check that you may write there, then try again"
    return JournalError(f"cannot be {done} ({why})", path=path, remedy=remedy)


def damaged(path: Path, how: str) -> JournalError:
    """Return the error for a damaged journal."""
    names = " and ".join(path.name + end for end in BESIDE[:2])
    return JournalError(
        f"cannot be read: damaged ({how})",
        path=path,
        remedy=f"Restore it from a copy, once {names} are moved away from beside it; or make a new "
        "plan from the live routes",
    )


# -- recognize ----------------------------------------------------------------------------------


def format_of(path: Path) -> int:
    """Return the format of a journal's tables; refuse any other file, and change nothing.

    The file is opened as immutable. So SQLite neither locks it, nor reads the files beside it, nor
    rolls anything back.

    Raises
    ------
    JournalError
        If the file does not exist, is not a vcokit journal, or has another version.
    """
    if not path.is_file():
        raise JournalError("there is no such journal", path=path, remedy="Check the path")
    for beside in _all_beside(path):
        try:
            is_file = stat.S_ISREG(os.lstat(beside).st_mode)
        except FileNotFoundError:  # a writer may delete it at any time
            continue
        if not is_file:
            raise JournalError(
                f"cannot be opened: {beside.name} beside it is not a file of its own",
                path=path,
                remedy="Move it or delete it; nothing was touched",
            )
    application, version = _numbers_of(path)
    if application != APPLICATION_ID:
        raise JournalError(
            "not a vcokit journal",
            path=path,
            remedy="Check the path; the file was not touched",
        )
    if OLDEST <= version <= FORMAT:
        return version
    newer = version > FORMAT
    raise JournalError(
        f"written by {'a newer' if newer else 'an older'} version of vcokit"
        f" (format {version}, this version knows {FORMAT})",
        path=path,
        remedy="Install a newer vcokit"
        if newer
        else "Resume it with the version that made it, or make a new plan from the live routes",
    )


def _numbers_of(path: Path) -> tuple[int, int]:
    """Return application id and format; zeros if the file is not a database."""
    try:
        with contextlib.closing(_open(path, "ro&immutable=1")) as connection:
            # Without this, SQLite refuses to read a file that is shorter than its header says. Such
            # a file may be damaged, or a writer may be active: opening it with locks will show.
            connection.execute("PRAGMA writable_schema = ON")
            names = ("application_id", "user_version")
            first, second = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names)
            return first, second
    except sqlite3.OperationalError as error:
        raise JournalError(f"cannot be read ({error})", path=path) from None
    except sqlite3.DatabaseError:
        return 0, 0


def refuse_second_name(path: Path) -> None:
    """Refuse to write to a journal that has a second name, by a hard link.

    Under the other name, SQLite would not find the latest writes
    (https://www.sqlite.org/howtocorrupt.html, 2.5).
    """
    if path.stat().st_nlink > 1:
        raise JournalError(
            "this journal has a second name, by a hard link: what was written last may lie beside "
            "either",
            path=path,
            remedy="Keep the name by which it was written, with what is beside it, and delete the "
            "other",
        )


# -- open ---------------------------------------------------------------------------------------


def connect(path: Path, *, write: bool) -> sqlite3.Connection:
    """Open a journal that `format_of` recognized."""
    if not write:
        # If a writer was killed in DELETE mode, its unfinished transaction must be rolled back
        # before anything can be read, and SQLite does this only on a connection that may write.
        connection = _open(path, "rw" if _is_filled(f"{path}-journal") else "ro")
        connection.execute("PRAGMA query_only = ON")
        return connection
    connection = _open(path, "rw")
    try:
        with contextlib.suppress(sqlite3.OperationalError):
            connection.execute("PRAGMA journal_mode = WAL")
        if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("SELECT * FROM sqlite_master").fetchone()  # now all its files exist
    except BaseException:
        connection.close()
        raise
    return connection


def _is_filled(path: str) -> bool:
    return os.path.exists(path) and os.path.getsize(path) > 0


def _open(path: Path, mode: str) -> sqlite3.Connection:
    # A rollout's thread writes through a connection that another thread opened; only the thread of
    # the loop uses it then, so no lock is needed.
    return sqlite3.connect(
        f"{path.as_uri()}?mode={mode}",
        uri=True,
        timeout=_PATIENCE,
        isolation_level=None,
        check_same_thread=False,
    )


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Write everything or nothing; it is on disk when the block ends."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # A full disk may have ended the transaction already.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def settle(connection: sqlite3.Connection, *, there: bool) -> None:
    """Merge everything into the one file, so that readers need no files beside it; then close.

    If somebody reads at this moment, or the disk is full, the data stays in two files, just as
    safe. If the file is no longer `there`, its names belong to other files; SQLite would delete
    those, because it deletes by name.
    """
    with contextlib.suppress(sqlite3.Error):
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        if there:
            connection.execute("PRAGMA journal_mode = DELETE")
    connection.close()


class Files:
    """The files that a writer has open: the journal and, in WAL mode, its write-ahead log.

    SQLite does not notice if one of them was renamed or deleted: it continues to write where nobody
    will ever read. So `lost` is called before each round; this costs two `stat` calls.

    Parameters
    ----------
    path : Path
        The journal, already open for writing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._open: dict[Path, os.stat_result] = {}
        for each in (path, path.with_name(path.name + "-wal")):
            with contextlib.suppress(OSError):  # in DELETE mode there is only one
                self._open[each] = os.stat(each)

    def lost(self) -> str | None:
        """Return what happened to one of the files; None while all are unchanged."""
        for path, opened in self._open.items():
            try:
                now = os.stat(path)
            except OSError as error:
                return f"{path.name} was deleted or renamed ({error.strerror})"
            if not os.path.samestat(now, opened):
                return f"{path.name} is another file now"
            if path == self._path and not now.st_size:
                return f"{path.name} was emptied"
        return None
