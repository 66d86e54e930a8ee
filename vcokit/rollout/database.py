"""The journal's file as SQLite sees it: made whole, told from others, opened as its disk allows.

::

    place_of(path)      where it is: absolute, and the same by whatever link it is named
    make(path, fill)    beside it, then under its name: it is there whole or not at all
    format_of(path)     is it ours, and of which format? SQLite tells, and alters nothing
    connect(path)       WAL, synchronous FULL; DELETE where the disk cannot do WAL
    Files(path)         are they still there, under the writer's hands?

SQLite keeps what it wrote last in files beside the journal, by its name: `BESIDE`. What another
journal left there would be taken for the new one's, so a new journal is not made beside it; and a
journal with two names would have two of each, so it is not opened to be written to.

WAL needs memory that all processes share; where there is none SQLite keeps the old mode or fails
(https://www.sqlite.org/wal.html). The journal goes on in DELETE mode then: slower, as safe.
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

#: ``PRAGMA application_id`` of a journal ("vcok"); the format of its tables, and the oldest known.
APPLICATION_ID: Final = 0x76636F6B
FORMAT: Final = 4
OLDEST: Final = 3

#: Seconds to wait for another's lock: in DELETE mode a reader holds up the writer for a moment.
_PATIENCE: Final = 30.0

#: What SQLite puts beside a journal: what was written last, its index, what is to be taken back.
BESIDE: Final = ("-wal", "-shm", "-journal")


def place_of(path: str | os.PathLike[str]) -> Path:
    """Return where a journal is: its one name, whatever links lead there or the program goes.

    Raises
    ------
    JournalError
        If the path cannot be one, or the working directory is gone.
    """
    try:
        return Path(os.path.realpath(path))
    except (OSError, ValueError) as error:
        raise JournalError(f"no path ({error})", path=Path(path), remedy="Check the path") from None


def place_of_new(path: str | os.PathLike[str]) -> Path:
    """Return where a journal is to be made: a link of that name is in the way, not followed."""
    return place_of(Path(path).parent) / Path(path).name


# -- made ---------------------------------------------------------------------------------------


def make(path: Path, fill: Callable[[sqlite3.Connection], None]) -> sqlite3.Connection:
    """Make a journal that is there whole, or not at all, and open it to be written to.

    Parameters
    ----------
    path : Path
        Locked by the caller.
    fill : callable
        Makes tables and rows.

    Raises
    ------
    JournalError
        If the file is there already, something of another journal is beside it, or it cannot be
        made.
    """
    if os.path.lexists(path):
        raise JournalError(
            "this journal exists already",
            path=path,
            remedy=Remedy("Go on with it: {resume}. Or choose another name", resume=str(path)),
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
    """Have the names in a folder on disk."""
    with contextlib.suppress(OSError):  # where folders cannot be opened
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def refuse_leftovers(path: Path) -> None:
    """Refuse to make a journal beside what an earlier one of its name left.

    Not deleted by us: it may be all that is left of what a killed rollout did last.

    Raises
    ------
    JournalError
        It names the files.
    """
    left = [each.name for each in _all_beside(path) if os.path.lexists(each)]
    if left and not os.path.lexists(path):
        raise JournalError(
            f"beside it is what another journal of this name left: {', '.join(left)}",
            path=path,
            remedy="Put that journal back and go on with it, or choose another name; once nobody "
            f"needs what it did last, delete {' and '.join(left)}",
        )


def _all_beside(path: Path) -> list[Path]:
    return [path.with_name(path.name + end) for end in BESIDE]


# -- refused ------------------------------------------------------------------------------------


def refused(path: Path, done: str, why: Exception) -> JournalError:
    """Return the error of a journal that its disk does not let be made or opened."""
    remedy = "Make room on its disk, see that you may write there, then try again"
    return JournalError(f"cannot be {done} ({why})", path=path, remedy=remedy)


def damaged(path: Path, how: str) -> JournalError:
    """Return the error of a journal that is damaged."""
    names = " and ".join(path.name + end for end in BESIDE[:2])
    return JournalError(
        f"cannot be read: damaged ({how})",
        path=path,
        remedy=f"Restore it from a copy, once {names} are moved away from beside it; or make a new "
        "plan from the live routes",
    )


# -- looked at ----------------------------------------------------------------------------------


def format_of(path: Path) -> int:
    """Return the format of a journal's tables; refuse what is none, and touch nothing.

    Opened as a file that nobody can change, SQLite neither locks it, nor looks at what is beside
    it, nor takes anything back.

    Raises
    ------
    JournalError
        If there is no such file, it is not of vcokit, or of another version.
    """
    if not path.is_file():
        raise JournalError("there is no such journal", path=path, remedy="Check the path")
    for beside in _all_beside(path):
        if os.path.lexists(beside) and not stat.S_ISREG(os.lstat(beside).st_mode):
            raise JournalError(
                f"cannot be opened: {beside.name} beside it is no file of its own",
                path=path,
                remedy="Move it or delete it; nothing was touched",
            )
    application, version = _numbers_of(path)
    if application != APPLICATION_ID:
        raise JournalError(
            "this is no journal of vcokit",
            path=path,
            remedy="Check the path; the file was not touched",
        )
    if OLDEST <= version <= FORMAT:
        return version
    newer = version > FORMAT
    raise JournalError(
        f"written by {'a newer' if newer else 'an older'} version of vcokit"
        f" (format {version}, known is {FORMAT})",
        path=path,
        remedy="Install a newer vcokit"
        if newer
        else "Go on with the version that made it, or make a new plan from the live routes",
    )


def _numbers_of(path: Path) -> tuple[int, int]:
    """Return whose file it is, and its format; zeros for what is no database."""
    try:
        with contextlib.closing(_open(path, "ro&immutable=1")) as connection:
            # Else SQLite tells nothing of a file that is shorter than it says. That may be damage,
            # or a writer that is just writing: who opens it by its locks will see which.
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

    By the other one SQLite would not find what was written last
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


# -- opened -------------------------------------------------------------------------------------


def connect(path: Path, *, write: bool) -> sqlite3.Connection:
    """Open a journal that `format_of` knows."""
    if not write:
        # What a killed writer left half-written in DELETE mode has to be taken back before anything
        # can be read, and SQLite does so on a connection that may write only.
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
        connection.execute("SELECT * FROM sqlite_master").fetchone()  # all its files are there now
    except BaseException:
        connection.close()
        raise
    return connection


def _is_filled(path: str) -> bool:
    return os.path.exists(path) and os.path.getsize(path) > 0


def _open(path: Path, mode: str) -> sqlite3.Connection:
    # A rollout's thread writes what another thread opened; its one lock is the loop it runs in.
    return sqlite3.connect(
        f"{path.as_uri()}?mode={mode}",
        uri=True,
        timeout=_PATIENCE,
        isolation_level=None,
        check_same_thread=False,
    )


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Write all or nothing, on disk when it ends."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # A disk that is full has ended the transaction already.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def settle(connection: sqlite3.Connection, *, there: bool) -> None:
    """Write all into the one file, which a reader need not put others beside; then close.

    A reader that looks just now, or a disk that is full, leaves it in two files, as whole. Where
    the file is not `there` any more, what has its names is another's, and SQLite would delete by
    name.
    """
    with contextlib.suppress(sqlite3.Error):
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        if there:
            connection.execute("PRAGMA journal_mode = DELETE")
    connection.close()


class Files:
    """The files that a writer has open: the journal and, where there is one, that with its rounds.

    SQLite does not notice that one of them lost its name: it goes on writing where nobody will
    ever read. So this is asked before each round; it costs two looks at the folder.

    Parameters
    ----------
    path : Path
        The journal, open for writing already.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._open: dict[Path, os.stat_result] = {}
        for each in (path, path.with_name(path.name + "-wal")):
            with contextlib.suppress(OSError):  # in DELETE mode there is but one
                self._open[each] = os.stat(each)

    def lost(self) -> str | None:
        """Return what became of one of them; None while all are as they were."""
        for path, opened in self._open.items():
            try:
                now = os.stat(path)
            except OSError as error:
                return f"{path.name} was taken away ({error.strerror})"
            if not os.path.samestat(now, opened):
                return f"{path.name} is another file now"
            if path == self._path and not now.st_size:
                return f"{path.name} was emptied"
        return None
