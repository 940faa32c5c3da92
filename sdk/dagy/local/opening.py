"""Opening `dagy.duckdb`: waiting for who has it, making one that is missing, setting a damaged one aside."""

from __future__ import annotations

import fcntl
import logging
import os
import random
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dagy.core.errors import LocalRecordsError
from dagy.local.database import Database, create_tables
from dagy.local.layout import LocalPaths
from dagy.local.metadata import read_metadata
from dagy.local.private import make_private_dir

if TYPE_CHECKING:
    import duckdb

_log: Final = logging.getLogger(__name__)

_CONFIG: Final[dict[str, Any]] = {"storage_compatibility_version": "v1.0.0"}
LONGEST_WAIT_S: Final = 15.0
_in_this_process: Final = threading.RLock()  # DuckDB would let threads in, and then fail one of two writers


@contextmanager
def opened(paths: LocalPaths, *, longest_wait_s: float = LONGEST_WAIT_S) -> Iterator[Database]:
    """Waits while another process has the file. A file that is no database, or a damaged one, is set aside under
    another name, and a new one made from the metadata of the runs; at once, or by the next one when the damage only
    shows in the block.

    Raises: LocalRecordsError.
    """
    import duckdb

    if not _in_this_process.acquire(timeout=longest_wait_s):
        raise LocalRecordsError(f"The local records in {paths.database} are held by another thread")
    try:
        connection = _connect(paths, time.monotonic() + longest_wait_s)
        try:
            yield Database(connection)
        finally:
            connection.close()
    except (duckdb.Error, OSError) as error:  # a full disk, most likely; the transaction was undone
        if _is_damage(error, paths):  # where opening does not look
            _move_aside(paths)
            raise LocalRecordsError(f"The local records were damaged ({error}): try again") from error
        raise LocalRecordsError(f"The local records in {paths.database} cannot be used: {error}") from error
    finally:
        _in_this_process.release()


def _connect(paths: LocalPaths, deadline_s: float) -> duckdb.DuckDBPyConnection:
    import duckdb  # heavy

    delay_s = 0.005
    while True:
        try:
            return _connect_once(paths)
        except duckdb.Error as error:
            is_damaged = _is_damage(error, paths)
            if not is_damaged and not _is_held_by_another(error, paths):
                raise
            if time.monotonic() > deadline_s:
                what = "damaged again and again" if is_damaged else "held by another process"
                raise LocalRecordsError(f"The local records in {paths.database} are {what}") from error
            if is_damaged:
                _set_aside(paths)
                continue
        time.sleep(delay_s * (1 + random.random()))  # noqa: S311 - spreads the tries of several processes
        delay_s = min(delay_s * 1.5, 0.1)


def _connect_once(paths: LocalPaths) -> duckdb.DuckDBPyConnection:
    import duckdb

    if not paths.database.exists():
        _make(paths)
    connection = duckdb.connect(str(paths.database), config=_CONFIG)
    create_tables(connection)
    return connection


def _make(paths: LocalPaths) -> None:
    """From the metadata of the runs, if there are any. Under another name first: one whose making was cut off must not
    be taken for the whole. When somebody else was faster, theirs stands.
    """
    import duckdb

    new = paths.database.with_name(f"{paths.database.name}.{os.getpid()}.new")
    make_private_dir(new.parent)
    new.unlink(missing_ok=True)
    try:
        with closing(duckdb.connect(str(new), config=_CONFIG)) as connection:
            new.chmod(0o600)
            create_tables(connection)
            Database(connection).save(list(read_metadata(paths)))
        with suppress(FileExistsError):
            os.link(new, paths.database)
    finally:
        for left in (new, _wal_of(new)):
            left.unlink(missing_ok=True)


def _set_aside(paths: LocalPaths) -> None:
    """Unless it is sound: of several processes that found the damage, only the first may."""
    import duckdb

    with _alone(paths.root):
        if not paths.database.exists():  # connecting would make an empty one
            return
        try:
            with closing(duckdb.connect(str(paths.database), config=_CONFIG)) as connection:
                create_tables(connection)
        except duckdb.Error as error:
            if not _is_damage(error, paths):
                return
        else:
            return
        _move_aside(paths)


def _move_aside(paths: LocalPaths) -> None:
    aside = paths.database.with_name(f"{paths.database.name}.damaged-{time.time_ns()}")
    _wal_of(paths.database).unlink(missing_ok=True)
    paths.database.rename(aside)
    _log.warning("The local records were damaged. They are kept as %s, and made anew from the runs' metadata.", aside)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Among the processes that ask for this folder."""
    fd = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with suppress(OSError):  # NFS locks no folders
            fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _wal_of(database: Path) -> Path:
    return database.with_name(f"{database.name}.wal")


def _is_held_by_another(error: Exception, paths: LocalPaths) -> bool:
    return "lock" in _told_by(error, paths)


def _is_damage(error: Exception, paths: LocalPaths) -> bool:
    words = ("not a valid duckdb database", "corrupt", "failed to deserialize", "checksum", "not read enough bytes")
    told = _told_by(error, paths)
    return any(word in told for word in words)


def _told_by(error: Exception, paths: LocalPaths) -> str:
    """Without the path, in which any word may stand."""
    return str(error).replace(str(paths.root), "").lower()
