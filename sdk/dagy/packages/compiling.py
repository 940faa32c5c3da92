"""A program, run by the Python that a package is for: compile the modules of a folder into another one.

    python -I -S -B compiling.py SOURCES INTO < names

`names` are paths below SOURCES, with a NUL between them. The same Python makes the same bytes of them: their order is
fixed, nothing of the machine's is imported (-S), and a module knows itself by its path below SOURCES, in whose place
the importer puts the real one. Answers with the tag of its bytecode, such as `cpython-313`.
"""

from __future__ import annotations

import importlib.util
import marshal
import sys
from pathlib import Path

_IS_HASH = (1).to_bytes(4, "little")


def main(sources: Path, into: Path) -> None:
    sys.setrecursionlimit(10_000)  # generated code has long expressions
    for name in sorted(filter(None, sys.stdin.buffer.read().decode().split("\0"))):
        source = (sources / name).read_bytes()
        try:
            code = compile(source, name, "exec", dont_inherit=True, optimize=0)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue  # importing it will say why
        path = into / importlib.util.cache_from_source(name, optimization="")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_header(source) + marshal.dumps(code))
    sys.stdout.write(str(sys.implementation.cache_tag))


def _header(source: bytes) -> bytes:
    """As of PEP 552: named by the source's hash, and never compared with it, since times in a zip mean nothing."""
    return importlib.util.MAGIC_NUMBER + _IS_HASH + importlib.util.source_hash(source)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
