"""Packages bring bytecode where a Python that can make it is here, and nothing depends on it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from wheel_index import WheelIndex

from dagy.artifact.metadata import FileEntry
from dagy.core.errors import ArtifactInvalid
from dagy.core.platforms import Platform
from dagy.packages.building import BuiltPackage, built_package
from dagy.packages.bytecode import compile_modules
from dagy.packages.contents import PackageContents, from_document, to_document
from dagy.packages.host import host_platform
from dagy.packages.reading import extract_package

HERE = host_platform()
TAG = sys.implementation.cache_tag


@pytest.fixture
def build(wheel: WheelIndex, tmp_path: Path) -> Callable[[], Any]:
    @contextmanager
    def build() -> Iterator[BuiltPackage]:
        with built_package(wheel.requirements(tmp_path / "requirements.txt", "numbers_x"), HERE) as built:
            yield built

    return build


def test_a_module_is_imported_from_bytecode_that_tells_where_it_is(
    wheel: WheelIndex, build: Any, tmp_path: Path
) -> None:
    wheel("numbers_x", files={"numbers_x/__init__.py": "ONE = 1\ndef where(): return where.__code__.co_filename\n"})
    folder = tmp_path / "unpacked"
    with build() as built:
        assert built.contents.bytecode == TAG
        extract_package(built.path, folder, pulse=lambda: None)
    module = folder / "numbers_x" / "__init__.py"
    module.chmod(0o600)
    module.write_text("raise AssertionError('the source was compiled')")

    said = subprocess.run(
        [sys.executable, "-B", "-c", "import numbers_x; print(numbers_x.ONE, numbers_x.where())"],
        env={"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == f"1 {module}\n"


def test_the_same_wheels_make_the_same_zip_byte_by_byte(wheel: WheelIndex, build: Any) -> None:
    sources = {f"numbers_x/m{n}.py": f"import os\nX = {{'a{n}', 'b', 'c'}}\ndef f(self, os): ...\n" for n in range(30)}
    wheel("numbers_x", files=sources)
    zips = []
    for _ in range(2):
        with build() as built:
            zips.append(built.path.read_bytes())
    assert zips[0] == zips[1]
    assert b"m29.cpython-" in zips[0]


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(b"print 'of an older Python'", id="a syntax error"),
        pytest.param(b"\xff\xfe", id="no text"),
        pytest.param(b"x = 1\0", id="a NUL"),
        pytest.param(b"# coding: klingon\n", id="an unknown encoding"),
        pytest.param(b"x = " + b"(" * 3000 + b")" * 3000, id="too deep"),
    ],
)
def test_what_does_not_compile_is_shipped_without_bytecode(tmp_path: Path, source: bytes) -> None:
    (tmp_path / "odd.py").write_bytes(source)
    (tmp_path / "well.py").write_bytes(b"x = 1")
    made = compile_modules(
        tmp_path, ["odd.py", "well.py", "data.txt"], python_version=HERE.python_version, into=tmp_path / "made"
    )
    assert made is not None
    assert list(made.files) == [f"__pycache__/well.{TAG}.pyc"]


@pytest.mark.parametrize("python", [None, "exit 127", "echo cpython-311-and-a-half", f'exec {sys.executable} "$@"'])
def test_without_a_python_of_that_version_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, python: str | None
) -> None:
    """One is on the path that is none, or of another version."""
    if python is not None:
        (tmp_path / "python3.99").write_text(f"#!/bin/sh\n{python}\n")
        (tmp_path / "python3.99").chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    (tmp_path / "well.py").write_text("x = 1")
    into = tmp_path / "made"
    assert compile_modules(tmp_path, ["well.py"], python_version="3.99", into=into) is None
    assert not into.exists()


FILES = (FileEntry("a/__init__.py", 1, "ab" * 32), FileEntry("a/__pycache__/__init__.cpython-313.pyc", 2, "cd" * 32))
COMPILED = PackageContents(Platform("lambda", "arm64", "3.13"), {"a": "1"}, FILES, bytecode="cpython-313")


def test_another_patch_level_of_python_makes_the_same_slug_and_none_another() -> None:
    by_another_patch = replace(COMPILED, files=(FILES[0], replace(FILES[1], size=3, sha256="ef" * 32)))
    plain = replace(COMPILED, files=FILES[:1], bytecode=None)
    other_source = replace(COMPILED, files=(replace(FILES[0], sha256="00" * 32), FILES[1]))
    assert by_another_patch.slug == COMPILED.slug
    assert len({COMPILED.slug, plain.slug, other_source.slug}) == 3
    assert from_document(to_document(COMPILED)) == COMPILED
    assert from_document(to_document(plain)) == plain


def test_what_only_looks_like_bytecode_counts_for_the_slug() -> None:
    undeclared = replace(COMPILED, bytecode=None)
    elsewhere = replace(COMPILED, files=(FILES[0], replace(FILES[1], path="a/x.cpython-313.pyc")))
    for contents in (undeclared, elsewhere):
        changed = replace(contents, files=(FILES[0], replace(contents.files[1], sha256="ef" * 32)))
        assert changed.slug != contents.slug


def test_a_tag_that_is_no_text_is_no_package() -> None:
    with pytest.raises(ArtifactInvalid, match="bytecode"):
        from_document(to_document(COMPILED).replace(b'"bytecode":"cpython-313"', b'"bytecode":["cpython-313"]'))
