"""Equal input gives equal bytes, wherever and whenever it is built."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from dagy.artifact import LocalArtifact, build_artifact, load_target
from dagy.core.errors import InvalidInput

Build = Callable[..., LocalArtifact]
Write = Callable[..., Path]
PROJECT = {
    "flow.py": """
        import zebra, apple
        from dagy import flow, task

        @task
        def work(names: set = frozenset({"b", "a", "c"})) -> int:
            return 1

        @flow
        def working(n: int = 1):
            return [work({"x", "y", "z"}) for _ in range(3)]
        """,
    "zebra.py": "",
    "apple.py": "import zebra",
    "data/b.csv": "b",
    "data/a.csv": "a",
}


def test_two_folders_give_the_same_bytes(build: Build) -> None:
    one = build(PROJECT, folder="one", include=["data/*.csv"]).path.read_bytes()
    two = build(dict(reversed(PROJECT.items())), folder="two/deeper", include=["data/b.csv", "data"]).path.read_bytes()

    assert one == two


def test_two_processes_with_other_hash_seeds_clocks_and_umasks_give_the_same_bytes(
    write: Write, tmp_path: Path
) -> None:
    folder = write(PROJECT)
    program = (
        "import os, sys; os.umask(int(sys.argv[3], 8))\n"
        "from dagy.artifact import build_artifact, load_target\n"
        "build_artifact(load_target(sys.argv[1]), include=['data'], output_dir=sys.argv[2])\n"
    )
    for name, seed, zone, mask in (("one", "1", "UTC", "022"), ("two", "2", "Asia/Tokyo", "077")):
        subprocess.run(
            [sys.executable, "-c", program, f"{folder}/flow.py", str(tmp_path / name), mask],
            env={**os.environ, "PYTHONHASHSEED": seed, "TZ": zone},
            check=True,
            timeout=60,
        )
        os.utime(folder / "zebra.py", (1, 1))

    assert (tmp_path / "one" / "artifact.zip").read_bytes() == (tmp_path / "two" / "artifact.zip").read_bytes()


def test_a_single_file_gives_the_same_hashes_from_every_current_directory_below_none(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write({"a/b/flow.py": PROJECT["flow.py"].replace("import zebra, apple", "")})
    hashes = set()
    for here in (folder, folder / "a", folder / "a" / "b", tmp_path):
        monkeypatch.chdir(here)
        hashes.add(build_artifact(load_target(f"{folder}/a/b/flow.py"), output_dir=tmp_path / "out").code_hash)

    assert len(hashes) == 1


def test_no_member_tells_where_or_when_it_was_built(build: Build, tmp_path: Path) -> None:
    artifact = build(PROJECT, include=["data"])

    with zipfile.ZipFile(artifact.path) as archive:
        infos = archive.infolist()
        everything = b"".join(archive.read(info) for info in infos)
    assert [info.filename for info in infos] == sorted(info.filename for info in infos)
    assert {(info.date_time, info.external_attr >> 16) for info in infos} == {((1980, 1, 1, 0, 0, 0), 0o100644)}
    assert str(tmp_path).encode() not in everything
    assert artifact.metadata.built_at == artifact.spec.created_at == "1980-01-01T00:00:00.000Z"


def test_source_date_epoch_is_honoured(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = build(PROJECT)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1772625600")

    dated = build(PROJECT)

    assert dated.metadata.built_at == dated.spec.created_at == "2026-03-04T12:00:00.000Z"
    assert dated.code_hash == plain.code_hash


def test_a_source_date_that_is_no_date_is_refused(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")

    with pytest.raises(InvalidInput, match=r"SOURCE_DATE_EPOCH .* 'yesterday'"):
        build(PROJECT)
