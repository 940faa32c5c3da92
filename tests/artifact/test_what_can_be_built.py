"""What a build refuses, warns of, or adds when asked: missing and installed modules, data files, nested tasks."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dagy.artifact import LocalArtifact, build_artifact, load_target, read_artifact
from dagy.artifact.packing import pack
from dagy.core.errors import InvalidFlow, InvalidInput, ValueNotKnown

Build = Callable[..., LocalArtifact]
Write = Callable[..., Path]

FLOW = """
from dagy import flow, task

@task
def double(x: int) -> int:
    return 2 * x

@flow
def doubling(n: int = 3):
    return double(n)
"""
OWN = {"flow_spec.json", "metadata.json", "manifest.json"}


def files_in(artifact: LocalArtifact) -> set[str]:
    with zipfile.ZipFile(artifact.path) as archive:
        return set(archive.namelist()) - OWN


def document(artifact: LocalArtifact, name: str) -> Any:
    with zipfile.ZipFile(artifact.path) as archive:
        return json.loads(archive.read(name))


# --- modules that are missing, or installed -----------------------------------------------------------------


@pytest.mark.parametrize(
    "line, told",
    [
        pytest.param("import not_there", "Module 'not_there' is imported at flow.py:3, but found nowhere", id="import"),
        pytest.param("from not_there.sub import x", "Module 'not_there.sub' .* flow.py:3", id="from"),
        pytest.param("import helper.sub", "Module 'helper.sub' .* flow.py:3", id="below a module"),
        pytest.param("import package.gone", "Module 'package.gone' .* flow.py:3", id="in a package"),
        pytest.param("from space import gone", "Module 'space.gone' .* flow.py:3", id="in a folder"),
        pytest.param("import importlib; importlib.import_module('gone')", "'gone' .* flow.py:3", id="by name"),
        pytest.param("import package.late", r"'\.gone' .* package/late.py:1", id="relative, in another file"),
    ],
)
def test_what_is_imported_and_found_nowhere_is_named_when_building(build: Build, line: str, told: str) -> None:
    files = {
        "helper.py": "",
        "package/__init__.py": "",
        "package/late.py": "from .gone import x",
        "space/here.py": "",
        "flow.py": f"\ndef later():\n    {line}\n{FLOW}",
    }

    with pytest.raises(InvalidFlow, match=told):
        build(files)


def test_every_missing_module_is_named(build: Build) -> None:
    with pytest.raises(InvalidFlow) as refused:
        build({"flow.py": f"def a():\n    import gone_one\ndef b():\n    import gone_two\n{FLOW}"})

    assert "'gone_one'" in str(refused.value) and "'gone_two'" in str(refused.value)


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("try:\n    import gone\nexcept ImportError:\n    gone = None", id="try"),
        pytest.param("try:\n    import gone\nexcept (ModuleNotFoundError, OSError):\n    pass", id="try, tuple"),
        pytest.param("try:\n    import json\nexcept ImportError:\n    import gone", id="the other choice"),
        pytest.param("from contextlib import suppress\nwith suppress(ImportError):\n    import gone", id="suppress"),
        pytest.param("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import gone", id="type checking"),
        pytest.param("import typing\nif typing.TYPE_CHECKING:\n    from gone import x", id="typing.TYPE_CHECKING"),
        pytest.param("import sys\nif sys.version_info < (3, 9):\n    import gone", id="another Python"),
        pytest.param("import sys\nif sys.platform == 'win32':\n    import gone", id="another system"),
    ],
)
def test_an_import_the_code_is_prepared_to_miss_may_be_missing(build: Build, source: str) -> None:
    assert files_in(build({"flow.py": f"{source}\n{FLOW}"})) == {"flow.py"}


def test_installed_distributions_are_listed_and_those_the_runtimes_lack_are_warned_of(build: Build) -> None:
    artifact = build({"flow.py": f"def f():\n    import yaml, boto3, json\n    from hypothesis import given\n{FLOW}"})

    assert set(artifact.metadata.dependencies) == {"PyYAML", "boto3", "hypothesis"}
    assert [warning.split()[0] for warning in artifact.warnings] == ["hypothesis", "PyYAML"]


def test_what_the_flow_can_do_without_is_not_warned_of(build: Build) -> None:
    artifact = build({"flow.py": f"try:\n    import yaml\nexcept ImportError:\n    yaml = None\n{FLOW}"})

    assert artifact.warnings == ()


def test_a_file_that_does_not_parse_is_named(build: Build) -> None:
    with pytest.raises(InvalidFlow, match=r"helper\.py:1"):
        build({"flow.py": f"def f():\n    import helper\n{FLOW}", "helper.py": "def broken(:"})


# --- data files ---------------------------------------------------------------------------------------------

DATA = {"flow.py": FLOW, "data/a.csv": "a", "data/deep/b.csv": "b", "data/__pycache__/c.pyc": "", "notes.txt": "n"}


@pytest.mark.parametrize(
    "globs, found",
    [
        pytest.param(["data/*.csv"], {"data/a.csv"}, id="one folder"),
        pytest.param(["data/**/*.csv"], {"data/a.csv", "data/deep/b.csv"}, id="every folder below"),
        pytest.param(["data"], {"data/a.csv", "data/deep/b.csv"}, id="a folder stands for all in it"),
        pytest.param(["notes.txt", "data/*.csv", "data/a.csv"], {"notes.txt", "data/a.csv"}, id="several, overlapping"),
        pytest.param(["flow.py"], set(), id="what is there anyway"),
    ],
)
def test_data_files_keep_their_place(build: Build, globs: list[str], found: set[str]) -> None:
    assert files_in(build(DATA, include=globs)) == {"flow.py"} | found


def test_globs_are_tried_beside_the_flow_and_then_in_the_current_directory(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(write({"flows/etl.py": FLOW, "flows/near.csv": "", "far.csv": ""}))
    flow = load_target("flows/etl.py")

    near = build_artifact(flow, include=["*.csv"], output_dir=tmp_path / "near")
    far = build_artifact(flow, include=["far.csv"], output_dir=tmp_path / "far")

    assert files_in(near) == {"etl.py", "near.csv"}
    assert files_in(far) == {"flows/etl.py", "far.csv"}


@pytest.mark.parametrize("glob", ["*.parquet", "../secret.txt", "/etc/passwd", "data/../../x", ""])
def test_a_glob_that_matches_nothing_or_leads_out_is_named(build: Build, glob: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape(repr(glob))):
        build(DATA, include=["notes.txt", glob])


def test_links_are_refused(build: Build, write: Write, tmp_path: Path) -> None:
    folder = write(DATA)
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key.csv").write_text("secret")
    (folder / "link.csv").symlink_to(tmp_path / "secret" / "key.csv")
    (folder / "linked").symlink_to(tmp_path / "secret")

    for glob in ("link.csv", "linked/key.csv", "linked"):
        with pytest.raises(InvalidInput, match="is a link"):
            build(DATA, include=[glob])


@pytest.mark.parametrize("name", ["metadata.json", "Manifest.json", "flow_spec.json"])
def test_names_the_artifact_needs_itself_are_refused(build: Build, name: str) -> None:
    with pytest.raises(InvalidFlow, match=name):
        build({**DATA, name: "{}"}, include=[name])


def test_a_file_that_packs_extremely_well_can_still_be_read(build: Build) -> None:
    artifact = build({"flow.py": FLOW, "zeros.txt": "0" * 3_000_000}, include=["zeros.txt"])

    assert "zeros.txt" in {entry.path for entry in read_artifact(artifact.path).manifest}


# --- flows that cannot run elsewhere ------------------------------------------------------------------------

TASK = "from dagy import flow, task\n"
REFUSED = {
    "a lambda task": (
        "double = task(name='double')(lambda x: x)\n@flow\ndef main(): return double(1)",
        r"Task 'double' \(flow.py:2\) is a lambda",
    ),
    "a nested task": (
        "def make():\n    @task\n    def inner(): ...\n    return inner\n"
        "inner = make()\n@flow\ndef main(): return inner()",
        r"Task 'inner' \(flow.py:3\) is defined inside a function",
    ),
    "a generator": (
        "@task\ndef rows():\n    yield 1\n@flow\ndef main(): return rows()",
        r"Task 'rows' \(flow.py:2\) is a generator",
    ),
    "an async generator": (
        "@task\nasync def rows():\n    yield 1\n@flow\ndef main(): return rows()",
        r"Task 'rows' \(flow.py:2\) is a generator",
    ),
    "a nested flow": (
        "def make():\n    @flow\n    def main(): ...\n    return main\nmain = make()",
        r"Flow 'main' \(flow.py:3\) is defined inside a function",
    ),
    "a flow that takes anything": ("@flow\ndef main(**more): ...", "takes '\\*\\*more'"),
}


@pytest.mark.parametrize("source, told", [pytest.param(*case, id=name) for name, case in REFUSED.items()])
def test_what_cannot_be_imported_elsewhere_is_refused_with_its_place(build: Build, source: str, told: str) -> None:
    with pytest.raises(InvalidFlow, match=told):
        build({"flow.py": TASK + source}, "flow.py:main")


def test_a_refused_build_writes_nothing(build: Build, tmp_path: Path) -> None:
    with pytest.raises(InvalidFlow):
        build({"flow.py": f"def f():\n    import gone\n{FLOW}"})

    assert not (tmp_path / "out").exists()


LOOKING = f"{FLOW}\n@flow\ndef looking(day: str):\n    return double(len(day))\n"


def test_a_body_that_needs_a_value_gets_it_from_flow_kwargs(build: Build, tmp_path: Path) -> None:
    with pytest.raises(ValueNotKnown, match="Parameter 'day'"):
        build({"flow.py": LOOKING}, "flow.py:looking")

    artifact = build({"flow.py": LOOKING}, "flow.py:looking", flow_kwargs={"day": "2026-03-04"})
    assert artifact.spec.task_runs[0].args == [10]


def test_a_script_that_builds_itself_is_shipped_under_its_own_name(write: Write, tmp_path: Path) -> None:
    script = f"{FLOW}\nif __name__ == '__main__':\n    from dagy import build_artifact\n"
    script += "    artifact = build_artifact(doubling, output_dir='out')\n"
    script += "    print(artifact.metadata.entrypoint, artifact.spec.tasks['double'].import_path)\n"
    folder = write({"etl.py": script})

    done = subprocess.run(
        [sys.executable, "etl.py"], cwd=folder, capture_output=True, text=True, check=True, timeout=60
    )

    assert done.stdout.split() == ["etl:doubling", "etl:double"]
    assert read_artifact(folder / "out" / "artifact.zip").metadata.source == "etl.py"


def test_a_zip_that_no_stage_would_take_is_not_built() -> None:
    files = {"flow.py": b"x = 1\n"}
    size_bytes = len(pack(files, spec={}, metadata={}))
    assert len(pack(files, spec={}, metadata={}, max_bytes=size_bytes)) == size_bytes
    with pytest.raises(InvalidFlow, match=f"a zip of {size_bytes} bytes"):
        pack(files, spec={}, metadata={}, max_bytes=size_bytes - 1)
