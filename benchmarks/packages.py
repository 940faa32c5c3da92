"""What bytecode in dependency packages costs and saves: size, unpacking, the look before each run, imports.

    python benchmarks/packages.py

Builds packages for this very Python with uv or pip, so it needs a package index the first time.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from dagy.packages import building
from dagy.packages.host import host_platform
from dagy_runtime.adapters import memory
from dagy_runtime.engine.package_cache import PackageCache, Provided
from dagy_runtime.ports import no_pulse
from dagy_runtime.values import ArtifactRef, PackageRef

MODULES: Final = {"pandas": "pandas", "scikit-learn": "sklearn.linear_model"}
TRIES: Final = 7


def main() -> None:
    print("| package | zip | unpacked | files | building it | fetch and unpack | look before a run | import |")
    print("|---|---|---|---|---|---|---|---|")
    for name, module in MODULES.items():
        for with_bytecode in (False, True):
            print(row(name, module, with_bytecode=with_bytecode), flush=True)


def row(name: str, module: str, *, with_bytecode: bool) -> str:
    started = time.perf_counter()
    with built(name, with_bytecode=with_bytecode) as package:
        building_s = time.perf_counter() - started
        world = memory.world()
        world.blobs.put("package", package.path.read_bytes())
        found = ArtifactRef("bucket", "package", package.sha256, None, package.size_bytes)
        wanted = [PackageRef(package.contents.slug, found, package.contents.unpacked_bytes)]
        cache = PackageCache(platform=host_platform())
        fetching = [timed(lambda: cache.clear() or provided(cache, world, wanted)) for _ in range(TRIES)]
        looking = [timed(lambda: provided(cache, world, wanted)) for _ in range(TRIES)]
        folder = provided(cache, world, wanted).folders[0]
        importing = [import_s(folder, module) for _ in range(TRIES)]
        cache.clear()
    assert (package.contents.bytecode is not None) is with_bytecode
    label = f"{name}, {'with' if with_bytecode else 'without'} bytecode"
    seconds = " | ".join(f"{statistics.median(times) * 1000:.0f} ms" for times in (fetching, looking, importing))
    sizes = f"{package.size_bytes / 1e6:.1f} MB | {package.contents.unpacked_bytes / 1e6:.0f} MB"
    return f"| {label} | {sizes} | {len(package.contents.files):,} | {building_s:.1f} s | {seconds} |"


@contextmanager
def built(name: str, *, with_bytecode: bool) -> Iterator[building.BuiltPackage]:
    with tempfile.TemporaryDirectory() as folder:
        requirements = Path(folder, "requirements.txt")
        requirements.write_text(f"{name}\n")
        kept = building.compile_modules
        if not with_bytecode:
            building.compile_modules = lambda *_, **__: None
        try:
            with building.built_package(requirements, host_platform()) as package:
                yield package
        finally:
            building.compile_modules = kept


def provided(cache: PackageCache, world: Any, wanted: list[PackageRef]) -> Provided:
    got = cache.provide(world.blobs, wanted, pulse=no_pulse)
    assert isinstance(got, Provided), got
    return got


def timed(act: Callable[[], object]) -> float:
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


def import_s(folder: Path, module: str) -> float:
    program = f"import time; s = time.perf_counter(); import {module}; print(time.perf_counter() - s)"
    environ = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=True, cwd="/"
    )
    return float(done.stdout)


if __name__ == "__main__":
    main()
