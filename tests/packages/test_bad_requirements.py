"""What cannot become a package is refused with what its author can do, in whichever installer's words."""

from __future__ import annotations

import io
import os
import sys
import tarfile
from pathlib import Path

import pytest
from wheel_index import WheelIndex

from dagy.core.errors import InvalidInput, NotFound, Unavailable
from dagy.core.platforms import Platform
from dagy.packages import refusing
from dagy.packages.building import built_package

ARM = Platform("lambda", "arm64", "3.13")


@pytest.fixture(params=["uv", "pip"])
def installer(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "pip":
        monkeypatch.setitem(sys.modules, "uv", None)
        monkeypatch.setenv("PATH", "/bin:/usr/bin")
    return str(request.param)


def refused(requirements: Path) -> str:
    with pytest.raises(InvalidInput) as said, built_package(requirements, ARM):
        pass
    return f"{said.value}\n{said.value.hint}"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\x7fELF\x02\x01\xfe\xff", id="a program"),
        pytest.param(b"numbers_x\0\0", id="a NUL in it"),
        pytest.param("numbers_x  # größer".encode("latin-1"), id="of another encoding"),
    ],
)
def test_a_file_that_is_no_text_is_refused_before_anything_runs(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "requirements.txt"
    path.write_bytes(data)
    assert "requirements.txt is no text in UTF-8" in refused(path)


def test_a_file_that_is_too_large_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "requirements.txt"
    path.touch()
    os.truncate(path, refusing.MAX_REQUIREMENTS_BYTES + 1)
    assert "1,048,577 bytes" in refused(path)


@pytest.mark.parametrize("name", ["nowhere.txt", "."])
def test_a_file_that_is_not_there_or_is_a_folder_is_not_found(tmp_path: Path, name: str) -> None:
    with pytest.raises(NotFound), built_package(tmp_path / name, ARM):
        pass


@pytest.mark.parametrize("line", ["numbers_x ===== 1", "--frobnicate", "-r nowhere.txt", "./nowhere"])
def test_a_line_that_makes_no_sense_is_told_with_what_the_installer_says_of_it(
    wheel: WheelIndex, tmp_path: Path, installer: str, line: str
) -> None:
    wheel("numbers_x")
    path = wheel.requirements(tmp_path / "requirements.txt", line)
    said = refused(path)
    assert f"Could not install what {path} asks for" in said and "names and versions" in said
    assert f"{installer}: " in said and "Traceback" not in said


@pytest.mark.parametrize(
    "lines", [["numbers_x==1.0", "numbers_x==2.0"], ["words_x", "numbers_x>=2"]], ids=["by itself", "by what it needs"]
)
def test_versions_that_exclude_each_other_are_told_as_that(
    wheel: WheelIndex, tmp_path: Path, installer: str, lines: list[str]
) -> None:
    for version in ("1.0", "2.0"):
        wheel("numbers_x", version)
    wheel("words_x", needs="numbers_x<2")
    said = refused(wheel.requirements(tmp_path / "requirements.txt", *lines))
    assert "excludes each other" in said and "Loosen one" in said


def test_what_has_no_wheel_but_only_its_source_is_named(wheel: WheelIndex, tmp_path: Path, installer: str) -> None:
    with tarfile.open(wheel.folder / "sources_x-1.0.tar.gz", "w:gz") as archive:
        data = b"Metadata-Version: 2.1\nName: sources_x\nVersion: 1.0\n"
        member = tarfile.TarInfo("sources_x-1.0/PKG-INFO")
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
    said = refused(wheel.requirements(tmp_path / "requirements.txt", "sources_x")).replace("_", "-")
    assert "No wheel of sources-x fits lambda-arm64-python3.13" in said and "Nothing is built from source" in said


def test_a_name_that_nobody_knows_is_named(wheel: WheelIndex, tmp_path: Path, installer: str) -> None:
    said = refused(wheel.requirements(tmp_path / "requirements.txt", "nobody_x")).replace("_", "-")
    assert "No wheel of nobody-x" in said


@pytest.mark.parametrize(
    "line", ["--index-url http://127.0.0.1:9/simple\nx", "x @ http://127.0.0.1:9/x-1-py3-none-any.whl"]
)
def test_an_index_that_does_not_answer_is_another_thing(
    tmp_path: Path, installer: str, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv("PIP_RETRIES", "1")
    path = tmp_path / "requirements.txt"
    path.write_text(f"{line}\n")
    with pytest.raises(Unavailable, match="Could not download") as said, built_package(path, ARM):
        pass
    assert "connection" in str(said.value.hint)
