"""Builds the Lambda zips, before any synth: `python -m dagy_infra.assets [--stage dev]`.

Two zips for a target (an architecture and a Python version, or the machine this runs on for the local cloud):
`runtime` for the six runtime functions and the control function, `api` with the web framework besides. A zip is
cached by the hash of what goes into it, so an unchanged build takes milliseconds. boto3 is not in them (Lambda has
it; the emulator has it beside it), and neither is duckdb.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import dagy
import dagy_runtime
from dagy.core.errors import NotFound
from dagy_infra.bytecode import bytecode_version, compiled
from dagy_infra.locations import assets_dir
from dagy_infra.stages import (
    DEFAULT_STAGE,
    LOCAL_STAGE,
    StageConfig,
    host_architecture,
    host_python_version,
    stage_config,
)
from dagy_infra.wheels import Target, install
from dagy_infra.zips import ZipInfo, read_zip_info, write_zip

Kind = Literal["runtime", "api"]
KINDS: Final[tuple[Kind, ...]] = ("runtime", "api")

_LOCKS: Final = Path(__file__).parent / "locks"
_BUILD_VERSION: Final = "2"  # raised when the code below changes what goes into a zip
_LEFT_OUT_FOLDERS: Final = frozenset({"__pycache__", "tests", "test", "bin"})
_LEFT_OUT_SUFFIXES: Final = frozenset({".pyc", ".pyi", ".pyx", ".pxd", ".c", ".h"})
_LEFT_OUT_NAMES: Final = frozenset({"py.typed", "RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json"})


@dataclass(frozen=True, slots=True)
class Asset:
    """A zip that is ready to be deployed."""

    path: Path
    info: ZipInfo


def target_of(stage: StageConfig) -> Target:
    if stage.emulator is not None:
        return host_target()
    return Target(stage.architecture, stage.python_version, is_host=False)


def host_target() -> Target:
    return Target(host_architecture(), host_python_version(), is_host=True)


def find_asset(kind: Kind, target: Target, *, folder: Path | None = None) -> Asset:
    """The zip built before. Raises: NotFound when it was not."""
    path = _asset_path(kind, target, folder or assets_dir())
    info = read_zip_info(path)
    if info is None:
        flag = f" --stage {LOCAL_STAGE}" if target.is_host else ""
        raise NotFound(f"Lambda zip for {target.name}", str(path), f"Build it: python -m dagy_infra.assets{flag}")
    return Asset(path, info)


def build_assets(
    target: Target, *, folder: Path | None = None, report: Callable[[str], None] = lambda _: None
) -> dict[Kind, Asset]:
    """Build what is not there yet or is made of something else by now. A repeat does nothing.

    Raises: Unavailable when the dependencies cannot be downloaded; the zips that stand are left alone.
    """
    return {kind: _build(kind, target, folder or assets_dir(), report) for kind in KINDS}


def _build(kind: Kind, target: Target, folder: Path, report: Callable[[str], None]) -> Asset:
    path, lock = _asset_path(kind, target, folder), _LOCKS / f"{kind}.txt"
    source = dict(_source_files())
    key = _key(lock, target, source)
    standing = read_zip_info(path)
    if standing is not None and standing.key == key:
        return Asset(path, standing)
    report(f"Building the {kind} zip for {target.name}")
    with tempfile.TemporaryDirectory(prefix="dagy-assets-") as scratch:
        install(lock, target, Path(scratch))
        files = {**dict(_files_below(Path(scratch))), **source}
        bytecode = compiled(files) if bytecode_version(target.python_version) else {}
        return Asset(path, write_zip(path, {**files, **bytecode}, key=key))


def _asset_path(kind: Kind, target: Target, folder: Path) -> Path:
    return folder / target.name / f"{kind}.zip"


def _source_files() -> Iterator[tuple[str, Path]]:
    for package in (dagy, dagy_runtime):
        root = Path(next(iter(package.__path__)))
        for name, path in _files_below(root):
            yield f"{package.__name__}/{name}", path


def _files_below(root: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(root.rglob("*")):
        relative = path.relative_to(root)
        if (
            path.is_file()
            and not _LEFT_OUT_FOLDERS.intersection(relative.parts[:-1])
            and path.suffix not in _LEFT_OUT_SUFFIXES
            and path.name not in _LEFT_OUT_NAMES
        ):
            yield relative.as_posix(), path


def _key(lock: Path, target: Target, source: dict[str, Path]) -> str:
    digest = hashlib.sha256(f"{_BUILD_VERSION}\n{target.name}\n{bytecode_version(target.python_version)}\n".encode())
    digest.update(lock.read_bytes())
    for name, path in sorted(source.items()):
        digest.update(f"{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m dagy_infra.assets", description="Build the Lambda zips.")
    parser.add_argument("--stage", default=DEFAULT_STAGE, help="whose target to build for (default: %(default)s)")
    stage = parser.parse_args(arguments).stage
    target = host_target() if stage == LOCAL_STAGE else target_of(stage_config(stage))
    build_assets(target, report=lambda line: print(line, file=sys.stderr))  # noqa: T201 - for whoever runs the CDK
    return 0


if __name__ == "__main__":
    sys.exit(main())
