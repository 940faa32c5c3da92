"""Compiles what goes into a zip, so that a cold start need not: Lambda keeps no bytecode from one start to the next.

Only when the Python that builds is of the version that will run it. The files are never checked against their sources
("unchecked hash", PEP 552), which lie beside them in the zip and cannot change: times in a zip mean nothing.
"""

from __future__ import annotations

import py_compile
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from dagy_infra.stages import host_python_version


def bytecode_version(python_version: str) -> str | None:
    """What marks bytecode for that Python, such as `cpython-313`; None when this one cannot make it."""
    return sys.implementation.cache_tag if python_version == host_python_version() else None


def compiled(files: Mapping[str, Path]) -> dict[str, bytes]:
    """The bytecode of every module among `files` (name in the zip → source), by its own name there. The same for the
    same sources. A file that does not compile has none; importing it will say why.
    """
    found: dict[str, bytes] = {}
    with tempfile.TemporaryDirectory(prefix="dagy-bytecode-") as scratch:
        target = Path(scratch) / "module.pyc"
        for name, source in sorted(files.items()):
            if not name.endswith(".py"):
                continue
            try:
                py_compile.compile(
                    str(source),
                    str(target),
                    dfile=name,  # the importer puts the real path in its place
                    doraise=True,
                    optimize=0,
                    invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
                )
            except py_compile.PyCompileError:
                continue
            path = PurePosixPath(name)
            found[f"{path.parent / '__pycache__' / path.stem}.{sys.implementation.cache_tag}.pyc"] = target.read_bytes()
    return found
