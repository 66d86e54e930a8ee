"""The journal's file as SQLite sees it: made whole, told from others, opened as its disk allows.

::

    place_of(path)     where it is: absolute, and the same by whatever link it is named
    make(path, fill)   beside it, then under its name: it is there whole or not at all
    check_bytes(path)  is it ours? By its bytes, for SQLite may alter what it opens
    check(path)        is it whole? By SQLite, read-only
    connect(path)      WAL, synchronous FULL; DELETE where the file system cannot do WAL
    Files(path)        are they still there, under the writer's hands?
    held_as(path)      does this program hold it already, and by which name?

SQLite keeps what it wrote last in files beside the journal, by its name: `BESIDE`. What another
journal left there would be taken for the new one's, so a new journal is not made beside it.

WAL needs memory that all processes share; where there is none SQLite keeps the old mode or fails
(https://www.sqlite.org/wal.html), and a network file system may accept what it cannot do, so it is
not asked. Each time the journal goes on in DELETE mode: slower, as safe.
"""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from vcokit.errors import JournalError, JournalLockedError

#: ``PRAGMA application_id`` of a journal ("vcok"), and the version of its tables.
APPLICATION_ID: Final = 0x76636F6B
VERSION: Final = 3

#: Seconds to wait for another's lock: in DELETE mode a reader holds up the writer for a moment.
_PATIENCE: Final = 30.0

#: The file's header (https://www.sqlite.org/fileformat.html, 1.3): offsets of its numbers, all
#: big-endian; pages that are counted are those of the file as it was last written in DELETE mode.
_MAGIC: Final = b"SQLite format 3\x00"
_HEADER: Final = 100
_PAGE_SIZE: Final = slice(16, 18)
_PAGES: Final = slice(28, 32)
_USER_VERSION: Final = slice(60, 64)
_APPLICATION_ID: Final = slice(68, 72)

#: Looks at a file that is another each time; then SQLite, which waits for locks, may judge it.
_LOOKS: Final = 100
#: File systems that more than one host may have mounted, by the names that Linux has for them.
_SHARED: Final = re.compile(
    "9p|afs|beegfs|ceph|cifs|coda|fuse.*|gfs2|glusterfs|gpfs|lustre|ncpfs|nfs4?|ocfs2|orangefs|"
    "prl_fs|pvfs2|smb3|smbfs|vboxsf|virtiofs|vmhgfs"
)
_MOUNTS: Final = Path("/proc/mounts")
_OCTAL: Final = re.compile(r"\\([0-7]{3})")

#: What SQLite puts beside a journal: what was written last, its index, what is to be taken back.
BESIDE: Final = ("-wal", "-shm", "-journal")

_ROOM: Final = "Make room on its disk, see that you may write there, then try again"
_DAMAGED: Final = (
    "Restore it from a copy, once {} are moved away from beside it; or make a new plan from the "
    "live routes"
)


class _Held(NamedTuple):
    """A journal that this program holds: its name, and device and inode of it and its lock."""

    path: Path
    files: set[tuple[int, int]]


#: By the owner of the journal's lease.
_held: Final[dict[str, _Held]] = {}
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_held.clear)  # a child has none of its parent's locks


def hold(owner: str, path: Path) -> None:
    """Note that this program holds a journal."""
    _held[owner] = _Held(path, set())


def hold_file(owner: str, file: Path | int) -> None:
    """Note that a file belongs to a journal that is held: itself, before SQLite opens it."""
    found = os.stat(file)
    _held[owner].files.add((found.st_dev, found.st_ino))


def let_go(owner: str) -> None:
    """Note that this program holds a journal no longer."""
    _held.pop(owner, None)


def is_held(owner: str) -> bool:
    """Tell whether this program holds the journal of an owner."""
    return owner in _held


def held_as(path: Path) -> Path | None:
    """Return the name by which this program holds a file, a journal or its lock; None if not.

    SQLite keeps what was written last beside that name, and would not find it by another.
    """
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    file = (found.st_dev, found.st_ino)
    return next((held.path for held in tuple(_held.values()) if file in held.files), None)


def place_of(path: str | os.PathLike[str]) -> Path:
    """Return where a journal is: its one name, whatever links lead there or the program goes.

    Raises
    ------
    JournalError
        If the path cannot be one, or the working directory is gone.
    """
    try:
        found = Path(os.path.realpath(path))
        return held_as(found) or found
    except (OSError, ValueError) as error:
        raise JournalError(f"no path ({error})", path=Path(path), remedy="Check the path") from None


def place_of_new(path: str | os.PathLike[str]) -> Path:
    """Return where a journal is to be made: a link of that name is in the way, not followed.

    Raises
    ------
    JournalError
        As of `place_of`.
    """
    return place_of(Path(path).parent) / Path(path).name


def make(path: Path, fill: Callable[[sqlite3.Connection], None]) -> None:
    """Make a journal that is there whole, or not at all.

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
        raise _there_already(path)
    refuse_leftovers(path)
    unborn = None
    try:
        descriptor, name = tempfile.mkstemp(prefix=f"{path.name}-new", dir=path.parent)
        os.close(descriptor)
        unborn = Path(name)
        with contextlib.closing(_open(unborn, "rw")) as connection:
            connection.execute("PRAGMA journal_mode = MEMORY")
            connection.execute("BEGIN")
            fill(connection)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {VERSION}")
            connection.execute("COMMIT")
        _name(unborn, path)
    except FileExistsError:
        raise _there_already(path) from None
    except (OSError, sqlite3.Error) as error:
        raise refused(path, "made", error) from None
    finally:
        if unborn is not None:
            with contextlib.suppress(OSError):
                unborn.unlink(missing_ok=True)


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


@contextlib.contextmanager
def taken_back(path: Path) -> Iterator[None]:
    """Take a journal that was just made away again where its first use fails.

    Raises
    ------
    JournalError
        If SQLite cannot use it, as where the disk is full by now.
    """
    try:
        yield
    except JournalLockedError:  # somebody was faster, and it is theirs now
        raise
    except BaseException as error:
        for each in (*_all_beside(path), path):  # killed in between, the journal is there still
            with contextlib.suppress(OSError):
                each.unlink(missing_ok=True)
        if isinstance(error, sqlite3.Error):
            raise refused(path, "made", error) from None
        raise


def refused(path: Path, done: str, why: Exception) -> JournalError:
    """Return the error of a journal that its disk does not let be made or opened."""
    return JournalError(f"cannot be {done} ({why})", path=path, remedy=_ROOM)


def _name(unborn: Path, path: Path) -> None:
    """Give a file its name, without taking that of another, and have both on disk."""
    try:
        os.link(unborn, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        unborn.rename(path)
    with contextlib.suppress(OSError):  # where folders cannot be opened
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _there_already(path: Path) -> JournalError:
    return JournalError(
        "this journal exists already",
        path=path,
        remedy="Go on with it by Rollout.open(path, client), or choose another name",
    )


def check(path: Path) -> None:
    """Refuse a file, passed by `check_bytes`, in which SQLite finds damage; never alter it."""
    try:
        with contextlib.closing(connect(path, write=False)) as connection:
            found = [row[0] for row in connection.execute("PRAGMA quick_check(1)")]
    except (sqlite3.Error, UnicodeError) as error:
        raise damaged(path, str(error)) from None
    if found != ["ok"]:
        raise damaged(path, str(found[0]) if found else "no answer to quick_check")


def check_bytes(path: Path) -> None:
    """Refuse what the first bytes and the size tell; SQLite is not asked.

    One that this program holds was looked at already, and is let be: to close any descriptor of a
    file drops the locks that SQLite has on it (https://www.sqlite.org/howtocorrupt.html, 2.2).
    """
    if held_as(path) is not None:
        return
    if not path.is_file():
        raise JournalError("there is no such journal", path=path, remedy="Check the path")
    for beside in _all_beside(path):
        if os.path.lexists(beside) and not stat.S_ISREG(os.lstat(beside).st_mode):
            raise JournalError(
                f"cannot be opened: {beside.name} beside it is no file of its own",
                path=path,
                remedy="Move it or delete it; nothing was touched",
            )
    head, size = _seen(path)
    if not _is_ours(head):
        raise JournalError(
            "this is no journal of vcokit",
            path=path,
            remedy="Check the path; the file was not touched",
        )
    if len(head) < _HEADER:
        raise damaged(path, "it ends in its header")
    _check_version(path, _number(head, _USER_VERSION))
    # A writer that closes just now changes the file between two looks; damage looks alike twice.
    for _ in range(_LOOKS):
        whole = _number(head, _PAGES) * _number(head, _PAGE_SIZE)
        if size == whole or _beside(path, "-wal") or _beside(path, "-journal"):
            return
        last, (head, size) = (head, size), _seen(path)
        if last == (head, size):
            raise damaged(path, f"{size:,} bytes of {whole:,}")


def _seen(path: Path) -> tuple[bytes, int]:
    try:
        with path.open("rb") as file:
            return file.read(_HEADER), os.fstat(file.fileno()).st_size
    except OSError as error:
        raise JournalError(f"cannot be read ({error})", path=path) from None


def _is_ours(head: bytes) -> bool:
    """Tell whether these are the first bytes of a journal, as far as they go."""
    if len(head) < _HEADER:
        return head.startswith(_MAGIC)
    return head.startswith(_MAGIC) and _number(head, _APPLICATION_ID) == APPLICATION_ID


def _number(head: bytes, where: slice) -> int:
    return int.from_bytes(head[where], "big")


def _check_version(path: Path, version: int) -> None:
    if version == VERSION:
        return
    newer = version > VERSION
    raise JournalError(
        f"written by {'a newer' if newer else 'an older'} version of vcokit"
        f" (format {version}, known is {VERSION})",
        path=path,
        remedy="Install a newer vcokit"
        if newer
        else "Go on with the version that made it, or make a new plan from the live routes",
    )


def damaged(path: Path, how: str) -> JournalError:
    """Return the error of a journal that is damaged."""
    names = " and ".join(path.name + end for end in BESIDE[:2])
    remedy = _DAMAGED.format(names)
    return JournalError(f"cannot be read: damaged ({how})", path=path, remedy=remedy)


def connect(path: Path, *, write: bool) -> sqlite3.Connection:
    """Open a journal that was checked."""
    if write:
        return _writer(path)
    # What a killed writer left half-written in DELETE mode has to be taken back before anything
    # can be read, and SQLite does so on a connection that may write only.
    connection = _open(path, "rw" if _beside(path, "-journal") else "ro")
    connection.execute("PRAGMA query_only = ON")
    return connection


def _writer(path: Path) -> sqlite3.Connection:
    connection = _open(path, "rw")
    try:
        if not is_shared(path):
            with contextlib.suppress(sqlite3.OperationalError):
                connection.execute("PRAGMA journal_mode = WAL")
        if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("PRAGMA synchronous = FULL")
    except BaseException:
        connection.close()
        raise
    return connection


def is_shared(path: Path) -> bool:
    """Tell whether other hosts may have a file's disk mounted; False where Linux does not say.

    Such disks often accept WAL, whose index is memory that hosts do not share
    (https://www.sqlite.org/wal.html, "all processes ... must be on the same host computer").

    Parameters
    ----------
    path : Path
        Absolute, without links.
    """
    try:
        lines = _MOUNTS.read_text(encoding="utf-8", errors="surrogateescape").split("\n")
    except OSError:
        return False
    found = (0, "")
    for _, point, kind, *_ in (line.split(" ") for line in lines if line):
        point = _OCTAL.sub(lambda code: chr(int(code[1], 8)), point)
        # The last of two at one place hides the other.
        if path.is_relative_to(point) and len(point) >= found[0]:
            found = (len(point), kind)
    return _SHARED.fullmatch(found[1]) is not None


def _open(path: Path, mode: str) -> sqlite3.Connection:
    # A rollout's thread writes what another thread opened; its one lock is the loop it runs in.
    return sqlite3.connect(
        f"{path.resolve().as_uri()}?mode={mode}",
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


def settle(connection: sqlite3.Connection, *, there: bool = True) -> None:
    """Write all into the one file, which a reader need not put others beside; then close.

    A reader that looks just now, or a disk that is full, leaves it in two files, as whole.

    Parameters
    ----------
    connection : sqlite3.Connection
    there : bool
        Whether the file is where it was; if not, what has its names now is another's, and SQLite
        would delete by name.
    """
    with contextlib.suppress(sqlite3.Error):
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        if there:
            connection.execute("PRAGMA busy_timeout = 0")
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
            if path == self._path and now.st_size < _HEADER:
                return f"{path.name} was cut to {now.st_size} bytes"
        return None


def _beside(path: Path, end: str) -> bool:
    """Tell whether SQLite has something beside the file that belongs to it."""
    other = path.with_name(path.name + end)
    try:
        return other.stat().st_size > 0
    except OSError:
        return False
