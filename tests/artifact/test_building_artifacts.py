"""`build_artifact`: what goes into an artifact, what it says about itself."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dagy.artifact import LocalArtifact, build_artifact, extract_artifact, load_extracted, load_target, read_artifact
from dagy.core.spec import canonical_json, code_hash

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


# --- contents -----------------------------------------------------------------------------------------------


def test_an_artifact_holds_the_spec_the_metadata_the_manifest_and_the_source(build: Build) -> None:
    artifact = build({"flow.py": FLOW})

    assert files_in(artifact) == {"flow.py"}
    assert document(artifact, "flow_spec.json")["task_runs"][0]["args"] == [3]
    metadata = document(artifact, "metadata.json")
    assert {"flow_name", "flow_version", "entrypoint", "built_at", "python_version", "dependencies"} <= set(metadata)
    assert (metadata["entrypoint"], metadata["source"]) == ("flow:doubling", "flow.py")
    assert metadata["is_version_pinned"] is False
    assert (artifact.flow_name, artifact.flow_version) == ("doubling", "latest")
    assert artifact.sha256 == hashlib.sha256(artifact.path.read_bytes()).hexdigest()


def test_the_manifest_lists_every_other_member(build: Build) -> None:
    artifact = build({"flow.py": f"import helper\n{FLOW}", "helper.py": ""})

    with zipfile.ZipFile(artifact.path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist() if name != "manifest.json"}
    listed = {entry["path"]: (entry["size"], entry["sha256"]) for entry in document(artifact, "manifest.json")["files"]}
    assert listed == {name: (len(content), hashlib.sha256(content).hexdigest()) for name, content in contents.items()}


def test_what_was_built_can_be_read(build: Build) -> None:
    artifact = build({"flow.py": FLOW})

    contents = read_artifact(artifact.path)

    assert contents.spec == artifact.spec
    assert contents.metadata == artifact.metadata
    assert contents.sha256 == artifact.sha256


def test_without_an_output_folder_it_goes_below_the_local_folder(
    build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGY_LOCAL_DIR", str(tmp_path / "local"))

    artifact = build({"flow.py": FLOW}, output_dir=None)

    relative = artifact.path.relative_to(tmp_path / "local" / "builds").as_posix()
    assert re.fullmatch(r"doubling/doubling-\d{8}T\d{6}-[0-9a-f]{6}/artifact\.zip", relative)
    sidecar = json.loads(artifact.path.with_name("build.json").read_text())
    assert sidecar["sha256"] == artifact.sha256
    assert sidecar["built_at"] > "2020"


def test_an_output_folder_gets_artifact_zip_and_nothing_half_written(build: Build, tmp_path: Path) -> None:
    first = build({"flow.py": FLOW})
    second = build_artifact(load_target(f"{tmp_path}/project/flow.py"), output_dir=tmp_path / "out", version="2")

    assert first.path == second.path == tmp_path / "out" / "artifact.zip"
    assert {file.name for file in (tmp_path / "out").iterdir()} == {"artifact.zip", "build.json"}
    assert read_artifact(second.path).spec.version == "2"


# --- local modules ------------------------------------------------------------------------------------------

PROJECT = {
    "flow.py": """
        import importlib
        import totals
        from orders import models
        from orders.source import fetch
        from lazy_package.sub import thing
        from dagy import flow, task

        plugin = importlib.import_module("plug" + "in_a")

        @task
        def work() -> int:
            from inside import VALUE
            return VALUE

        @flow
        def working():
            return work()
        """,
    "totals.py": "import json, orders.deep.rates as rates",
    "inside.py": "VALUE = 7",
    "plugin_a.py": "import plugin_base",
    "plugin_base.py": "",
    "unused.py": "raise AssertionError('nobody imports this')",
    "orders/__init__.py": "",
    "orders/models.py": "from . import base",
    "orders/base.py": "import namespace.module",
    "orders/source.py": "from .deep import rates\nfetch = rates",
    "orders/deep/__init__.py": "",
    "orders/deep/rates.py": "from ..late import LATE",
    "orders/late.py": "LATE = 1",
    "orders/unused.py": "",
    "lazy_package/__init__.py": "",
    "lazy_package/sub.py": "thing = 1",
    "namespace/module.py": "",
}
SHIPPED = set(PROJECT) - {"unused.py", "orders/unused.py"}


def test_every_local_module_that_is_imported_is_shipped_and_no_other(build: Build) -> None:
    assert files_in(build(PROJECT, "flow.py:working")) == SHIPPED


def test_a_shipped_project_runs_elsewhere_with_nothing_but_the_artifact(build: Build, tmp_path: Path) -> None:
    artifact = build(PROJECT, "flow.py:working")
    program = """
        import sys
        from pathlib import Path
        from dagy.artifact import extract_artifact, load_extracted
        folder = Path(sys.argv[2])
        flow = load_extracted(folder, extract_artifact(Path(sys.argv[1]).read_bytes(), folder))
        (call,) = flow.trace().calls.values()
        modules = [sys.modules[name].__file__ for name in ("flow", "orders.late", "plugin_base")]
        print(call.task.fn(), all(file.startswith(str(folder.resolve())) for file in modules))
        """
    (tmp_path / "program.py").write_text("\n".join(line.strip() for line in program.splitlines()))

    done = subprocess.run(
        [sys.executable, str(tmp_path / "program.py"), str(artifact.path), str(tmp_path / "extracted")],
        capture_output=True,
        text=True,
        check=True,
        cwd="/",
        timeout=60,
    )

    assert done.stdout.split() == ["7", "True"]


def test_modules_of_the_current_directory_are_found_and_keep_their_names(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write(
        {
            "shared/rates.py": "RATE = 2",
            "flows/helper.py": "",
            "flows/etl.py": f"import helper\nfrom shared.rates import RATE\n{FLOW}",
        }
    )
    monkeypatch.chdir(folder)

    artifact = build_artifact(load_target("flows/etl.py"), output_dir=tmp_path / "out")

    assert files_in(artifact) == {"shared/rates.py", "flows/helper.py", "flows/etl.py"}
    assert artifact.metadata.import_roots == ("flows", ".")
    assert artifact.metadata.entrypoint == "etl:doubling"
    metadata = extract_artifact(artifact.path.read_bytes(), tmp_path / "extracted")
    assert load_extracted(tmp_path / "extracted", metadata).fn.__globals__["RATE"] == 2


def test_a_flow_in_a_package_is_shipped_with_the_packages_above_it(build: Build) -> None:
    artifact = build(
        {
            "pipelines/__init__.py": "",
            "pipelines/daily/__init__.py": "from .. import settings",
            "pipelines/settings.py": "",
            "pipelines/daily/other.py": "",
            "pipelines/daily/etl.py": FLOW,
        },
        "pipelines/daily/etl.py",
    )

    assert files_in(artifact) == {
        "pipelines/__init__.py",
        "pipelines/daily/__init__.py",
        "pipelines/settings.py",
        "pipelines/daily/etl.py",
    }
    assert artifact.metadata.entrypoint == "pipelines.daily.etl:doubling"


def test_a_neighbour_that_somebody_else_loaded_is_not_shipped(build: Build, tmp_path: Path) -> None:
    files = {"pipelines/__init__.py": "", "pipelines/a.py": FLOW, "pipelines/b.py": FLOW}
    alone = build(files, "pipelines/a.py")
    load_target(f"{tmp_path}/project/pipelines/b.py")

    together = build(files, "pipelines/a.py")

    assert together.sha256 == alone.sha256
    assert "pipelines/b.py" not in files_in(together)


def test_what_lies_in_a_virtual_environment_is_not_local(write: Write, tmp_path: Path) -> None:
    folder = write(
        {
            "flow.py": f"import local_one\ntry:\n    import venv_x.lib.other\nexcept ImportError:\n    pass\n{FLOW}",
            "local_one.py": "",
            "venv_x/pyvenv.cfg": "",
            "venv_x/lib/other.py": "",
        }
    )

    artifact = build_artifact(load_target(f"{folder}/flow.py"), output_dir=tmp_path / "out")

    assert files_in(artifact) == {"flow.py", "local_one.py"}


# --- versions and hashes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "decorator, given, version, is_pinned",
    [
        pytest.param("@flow", None, "latest", False, id="nobody chose"),
        pytest.param('@flow(version="1.0.0")', None, "1.0.0", True, id="the decorator"),
        pytest.param('@flow(version="1.0.0")', "2.0.0", "2.0.0", True, id="the build, before the decorator"),
        pytest.param("@flow", "2.0.0", "2.0.0", True, id="the build"),
    ],
)
def test_a_version_is_pinned_when_the_author_chose_it(
    build: Build, decorator: str, given: str | None, version: str, is_pinned: bool
) -> None:
    artifact = build({"flow.py": FLOW.replace("@flow", decorator)}, version=given)

    assert (artifact.flow_version, artifact.spec.version) == (version, version)
    assert artifact.metadata.is_version_pinned is is_pinned


def test_the_code_hash_is_the_documented_formula(build: Build, tmp_path: Path) -> None:
    artifact = build({"flow.py": FLOW})

    plan = {key: value for key, value in document(artifact, "flow_spec.json").items() if key != "created_at"}
    source_hash = hashlib.sha256((tmp_path / "project" / "flow.py").read_bytes()).hexdigest()
    assert artifact.code_hash == hashlib.sha256(f"{canonical_json(plan)}|{source_hash}".encode()).hexdigest()
    assert artifact.code_hash == artifact.metadata.code_hash == code_hash(artifact.spec, source_hash)


def test_the_code_hash_changes_with_every_file_shipped(build: Build, tmp_path: Path) -> None:
    files = {"flow.py": f"import helper\n{FLOW}", "helper.py": "A = 1", "data.csv": "1"}
    hashes = [
        build(files, folder="a", include=["data.csv"]).code_hash,
        build({**files, "helper.py": "A = 2"}, folder="b", include=["data.csv"]).code_hash,
        build({**files, "data.csv": "2"}, folder="c", include=["data.csv"]).code_hash,
        build({**files, "flow.py": files["flow.py"] + "# more"}, folder="d", include=["data.csv"]).code_hash,
        build(files, folder="e").code_hash,
    ]

    assert len(set(hashes)) == len(hashes)


# --- namespaces ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "here, namespace",
    [
        pytest.param(".", "data/ingestion", id="below the current directory"),
        pytest.param("data/ingestion", "", id="in the current directory"),
        pytest.param("../elsewhere", "data/ingestion", id="outside of it: from the git root"),
    ],
)
def test_the_namespace_is_where_the_source_stands(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, here: str, namespace: str
) -> None:
    folder = write({"data/ingestion/etl.py": FLOW, ".git/HEAD": ""})
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(folder / here)

    artifact = build_artifact(load_target(f"{folder}/data/ingestion/etl.py"), output_dir=tmp_path / "out")

    assert artifact.metadata.namespace == namespace
