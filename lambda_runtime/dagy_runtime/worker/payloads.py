"""Encoded values on their way through the pipe: small ones inside the frame, large ones as a file beside it."""

from __future__ import annotations

import hashlib
import os
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from dagy.core.errors import ArtifactSerializationError
from dagy.results import Encoded
from dagy_runtime.worker.frames import INLINE_BYTES, Payload

MAX_RESULT_BYTES: Final = 512 * 1024 * 1024


class Nonsense(Exception):
    """The child sent what no child of ours sends: user code speaks for it, or has broken it."""


class Handover:
    """The parent's hold of the folder through which large values pass, from before the child is born.

    User code can put anything there, and rename the folder itself. The parent takes plain files out of the folder that
    it opened, and nothing else: no link that leads to what only the parent may read, no pipe that never ends.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)

    def __enter__(self) -> Handover:
        return self

    def __exit__(self, *exc: object) -> None:
        os.close(self._fd)

    def new_path(self) -> Path:
        """For a file to the child, under a name that nobody can have taken."""
        return self.folder / uuid.uuid4().hex

    @contextmanager
    def taken(self, payload: Payload) -> Iterator[Path]:
        """A path to the file that the payload came in, good for the block. The folder has it no more.

        Raises: Nonsense for anything but a plain file of the folder, of at most 512 MiB.
        """
        name = Path(payload.path or "").name
        if payload.path != str(self.folder / name):
            raise Nonsense(f"it sent a value in a file of another folder, {payload.path!r:.200}")
        try:
            fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=self._fd)
        except (OSError, ValueError) as error:
            raise Nonsense(f"it sent a value in a file that cannot be opened ({error})") from error
        try:
            found = os.fstat(fd)
            if not stat.S_ISREG(found.st_mode) or found.st_size > MAX_RESULT_BYTES:
                raise Nonsense("it sent a value in what is no plain file, or in one that is too large")
            os.unlink(name, dir_fd=self._fd)
            yield Path(f"/dev/fd/{fd}")
        finally:
            os.close(fd)


def to_payload(encoded: Encoded, *, folder: Path) -> Payload:
    """Raises: ArtifactSerializationError when it is above 512 MiB, or does not fit on the disk."""
    size_bytes = encoded.size_bytes
    if size_bytes <= INLINE_BYTES:
        return Payload(encoded.codec, encoded.sha256, size_bytes, data=encoded.data)
    if size_bytes > MAX_RESULT_BYTES:
        raise ArtifactSerializationError(
            f"The result takes {size_bytes / 2**20:,.0f} MiB stored; at most {MAX_RESULT_BYTES >> 20} MiB can be. "
            "Write it to a place of your own and return where it is."
        )
    path = folder / uuid.uuid4().hex
    try:
        path.write_bytes(encoded.data)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise ArtifactSerializationError(
            f"The result takes {size_bytes / 2**20:,.0f} MiB stored, and there is no room for it: {error.strerror}"
        ) from error
    return Payload(encoded.codec, encoded.sha256, size_bytes, path=str(path))


def from_payload(payload: Payload) -> Encoded:
    """Takes the file, if there is one, off the disk. Raises: ArtifactSerializationError for other bytes than sent."""
    if payload.data is not None:
        data = payload.data
    else:
        path = Path(payload.path or "")
        data = path.read_bytes()
        path.unlink()
    if hashlib.sha256(data).hexdigest() != payload.sha256:
        raise ArtifactSerializationError("A stored result does not have its SHA-256")
    return Encoded(payload.codec, data, payload.sha256)
