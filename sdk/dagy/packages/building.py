"""Building a dependency package on this machine, for the platform of a stage, without Docker."""

from __future__ import annotations

import hashlib
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path
from typing import Final

from dagy.artifact.metadata import FileEntry
from dagy.artifact.packing import MAX_RATIO, RATIO_MATTERS_ABOVE_BYTES, folded
from dagy.core.errors import InvalidInput
from dagy.core.offer import MAX_PACKAGE_BYTES, MAX_PACKAGES_UNPACKED_BYTES
from dagy.core.platforms import LAMBDA, Platform
from dagy.packages.bytecode import Bytecode, compile_modules
from dagy.packages.choosing import chosen_files
from dagy.packages.contents import DOCUMENT_NAME, PackageContents, describe, sorted_by_name, to_document
from dagy.packages.installing import install
from dagy.packages.refusing import check_readable, not_installable

_MOMENT: Final = (1980, 1, 1, 0, 0, 0)  # the earliest a zip can tell
_LEVEL: Final = 6
_UNIX: Final = 3


@dataclass(frozen=True, slots=True)
class BuiltPackage:
    """A package's zip. `sha256` is the hex digest of the zip itself."""

    path: Path
    contents: PackageContents
    sha256: str
    size_bytes: int


@contextmanager
def built_package(
    requirements: Path, platform: Platform, *, report: Callable[[str, str], object] = lambda title, detail: None
) -> Iterator[BuiltPackage]:
    """The wheels that `requirements` asks for, with all they need, as a zip that is there for the block.

    Equal wheels make equal contents, so an equal slug.

    Raises: NotFound without the file; InvalidInput for a requirement that has no wheel for the platform, one that
    cannot be shipped, or too much of them; Unavailable when nothing can be downloaded.
    """
    check_readable(requirements)
    with tempfile.TemporaryDirectory(prefix="dagy-package-") as scratch:
        wheels, path = Path(scratch, "wheels"), Path(scratch, "package.zip")
        wheels.mkdir()
        refusals = install(("--requirement", str(requirements)), platform, wheels)
        if refusals:
            raise not_installable(requirements, platform, refusals)
        distributions = _distributions(wheels, platform)
        if not distributions:
            raise InvalidInput(f"{requirements} asks for nothing", "List a distribution a line, such as pandas>=2.2.")
        report("Installed", f"{describe(distributions)}")
        files = dict(chosen_files(wheels))
        bytecode = _bytecode(wheels, files, platform, Path(scratch, "bytecode"), report)
        contents = write_package(path, files, platform, distributions, bytecode)
        size_bytes = path.stat().st_size
        if size_bytes > MAX_PACKAGE_BYTES:
            raise InvalidInput(
                f"The package would be a zip of {size_bytes:,} bytes",
                f"At most {MAX_PACKAGE_BYTES:,}: split it in two.",
            )
        with path.open("rb") as file:
            sha256 = _sha256(iter(lambda: file.read(1024 * 1024), b""))
        report("Packed", f"{len(contents.files)} files, {size_bytes / 1e6:.1f} MB zipped")
        yield BuiltPackage(path, contents, sha256, size_bytes)


def write_package(
    path: Path,
    files: Mapping[str, Path],
    platform: Platform,
    distributions: Mapping[str, str],
    bytecode: Bytecode | None = None,
) -> PackageContents:
    """Write the zip of `files` (path in it → source) and their bytecode: sorted, without times or owners, the document
    last, so that the end of the zip tells of it all.

    Raises: InvalidInput when it unpacks to too much, or two names differ only by case.
    """
    files = {**files, **(bytecode.files if bytecode else {})}
    unpacked_bytes = _size_bytes(files)
    if unpacked_bytes > MAX_PACKAGES_UNPACKED_BYTES:
        raise InvalidInput(
            f"The package would unpack to {unpacked_bytes:,} bytes",
            f"At most {MAX_PACKAGES_UNPACKED_BYTES:,}. The largest of it: "
            + ", ".join(f"{name} {size / 1e6:.0f} MB" for name, size in _largest(files)),
        )
    seen: dict[str, str] = {}
    for name in files:
        if (other := seen.setdefault(folded(name), name)) != name:
            raise InvalidInput(f"The files '{other}' and '{name}' of the wheels differ only by case")
    entries, programs = [], []
    with zipfile.ZipFile(path, "w") as archive:
        for name in sorted(files):
            data = files[name].read_bytes()
            is_program = bool(files[name].stat().st_mode & stat.S_IXUSR) and not name.endswith((".so", ".py"))
            if is_program:
                programs.append(name)
            entries.append(FileEntry(name, len(data), hashlib.sha256(data).hexdigest()))
            _add(archive, name, data, mode=0o755 if is_program else 0o644)
        tag = bytecode.tag if bytecode else None
        contents = PackageContents(platform, distributions, tuple(entries), tuple(programs), tag)
        _add(archive, DOCUMENT_NAME, to_document(contents), mode=0o644)
    return contents


def _bytecode(
    wheels: Path, files: Mapping[str, Path], platform: Platform, into: Path, report: Callable[[str, str], object]
) -> Bytecode | None:
    """None, and it is said why, where it cannot be made or would be what makes the package too large."""
    version = platform.python_version
    made = compile_modules(wheels, files, python_version=version, into=into)
    if made is None:
        report(
            "Uncompiled", f"each run compiles what it imports: no Python {version} here (uv python install {version})"
        )
        return None
    with_it = _size_bytes(files) + (size_bytes := _size_bytes(made.files))
    if with_it > MAX_PACKAGES_UNPACKED_BYTES >= with_it - size_bytes:
        report("Uncompiled", f"each run compiles what it imports: {size_bytes / 1e6:.0f} MB of it are too much")
        return None
    report("Compiled", f"{len(made.files)} modules with Python {version}")
    return made


def _size_bytes(files: Mapping[str, Path]) -> int:
    return sum(path.stat().st_size for path in files.values())


def _add(archive: zipfile.ZipFile, name: str, data: bytes, *, mode: int) -> None:
    member = zipfile.ZipInfo(name, _MOMENT)
    member.create_system, member.external_attr = _UNIX, (stat.S_IFREG | mode) << 16
    archive.writestr(member, data, _method(data), _LEVEL)


def _method(data: bytes) -> int:
    """Deflate, unless that makes so little of so much that a reader would take it for a bomb. A quick look: level 1
    makes at most a few times more than what is used.
    """
    if len(data) > RATIO_MATTERS_ABOVE_BYTES and len(data) > MAX_RATIO / 5 * len(zlib.compress(data, 1)):
        return zipfile.ZIP_STORED
    return zipfile.ZIP_DEFLATED


def _distributions(wheels: Path, platform: Platform) -> dict[str, str]:
    """Versions by name. Raises: InvalidInput for dagy itself, or a wheel that was made for another machine."""
    versions: dict[str, str] = {}
    for info in sorted(wheels.glob("*.dist-info")):
        metadata = HeaderParser().parsestr((info / "METADATA").read_text("utf-8", "replace"))
        name, version = str(metadata["Name"]), str(metadata["Version"])
        if name.lower() == "dagy":
            raise InvalidInput("The requirements ask for dagy", "Leave it out: the functions bring their own.")
        tags = HeaderParser().parsestr((info / "WHEEL").read_text("utf-8", "replace")).get_all("Tag") or []
        if platform.system == LAMBDA and not any(_runs_on_lambda(tag, platform) for tag in tags):
            raise InvalidInput(
                f"{name} {version} was built for another machine than {platform.name} ({', '.join(tags)})",
                "It is installed from source or a local file: give a wheel that was built for the stage.",
            )
        versions[name] = version
    return dict(sorted_by_name(versions.items()))


def _runs_on_lambda(tag: str, platform: Platform) -> bool:
    machine = {"arm64": "aarch64"}.get(platform.architecture, platform.architecture)
    place = tag.rpartition("-")[2]
    return place == "any" or ("linux" in place and place.endswith(machine))


def _largest(files: Mapping[str, Path]) -> list[tuple[str, int]]:
    sizes: dict[str, int] = {}
    for name, path in files.items():
        top = name.partition("/")[0]
        sizes[top] = sizes.get(top, 0) + path.stat().st_size
    return sorted(sizes.items(), key=lambda item: -item[1])[:5]


def _sha256(chunks: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()
