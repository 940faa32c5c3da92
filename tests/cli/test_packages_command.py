"""`dagy packages` and `--dep-packages`: wheels from a folder, built for the stage, attached, named when missing."""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from wheel_index import WheelIndex

from dagy.core.names import package_key
from dagy.packages.contents import DOCUMENT_NAME
from dagy_cli.several import spread

PYTHON = "cp313"


@pytest.fixture
def wheel(tmp_path: Path) -> WheelIndex:
    return WheelIndex(tmp_path / "index")


@pytest.fixture
def requirements(home: Path, wheel: WheelIndex) -> Callable[..., str]:
    def write(*lines: str, name: str = "requirements.txt") -> str:
        return f"{wheel.requirements(Path(name), *lines)}"

    return write


@pytest.fixture
def slug(dagy: Any, stage: Any, wheel: WheelIndex, requirements: Any) -> str:
    """Of a registered package that holds `numbers_x` 1.0."""
    wheel("numbers_x")
    return str(dagy("packages", "create", requirements("numbers_x"), "--json").json["slug"])


def names_in(stage: Any, slug: str) -> list[str]:
    """Without bytecode: whether there is any depends on the Pythons of this machine."""
    import io

    with zipfile.ZipFile(io.BytesIO(stage.ports.blobs.get(package_key(slug)))) as archive:
        return [name for name in archive.namelist() if "__pycache__" not in name]


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_a_package_is_built_for_the_stages_platform_uploaded_and_registered(
    dagy: Any, stage: Any, wheel: WheelIndex, requirements: Any, installer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if installer == "pip":
        hide_uv(monkeypatch)
    wheel("numbers_x", needs="words_x", files={"numbers_x/tests/test_a.py": "", "tests/a.py": ""})
    wheel("words_x", "2.0", f"{PYTHON}-{PYTHON}-manylinux_2_28_aarch64")
    wheel("words_x", "2.0", f"{PYTHON}-{PYTHON}-manylinux_2_28_x86_64", files={"words_x/other.py": ""})
    wheel("words_x", "1.0")
    made = dagy("packages", "create", requirements("numbers_x"), "--json")
    if installer == "pip":
        assert made.json["bytecode"] is None
        assert "Uncompiled" in made.stderr and "no Python 3.13 here (uv python install 3.13)" in made.stderr
    assert made.json["distributions"] == {"numbers-x": "1.0", "words-x": "2.0"} or made.json["distributions"] == {
        "numbers_x": "1.0",
        "words_x": "2.0",
    }
    assert made.json["platform"] == "lambda-arm64-python3.13" and made.json["uploaded"]
    assert made.json["modules"] == ["numbers_x", "words_x"]
    assert names_in(stage, made.json["slug"]) == [
        "numbers_x-1.0.dist-info/METADATA",
        "numbers_x-1.0.dist-info/WHEEL",
        "numbers_x/__init__.py",
        "words_x-2.0.dist-info/METADATA",
        "words_x-2.0.dist-info/WHEEL",
        "words_x/__init__.py",
        DOCUMENT_NAME,
    ]
    shown = dagy("packages", "show", made.json["slug"].lower(), "--json").json
    assert shown["name"] == "project", "of the folder, since the file is called requirements.txt"
    stored = stage.ports.blobs.get(package_key(shown["slug"]))
    assert shown["sha256"] == hashlib.sha256(stored).hexdigest()


def hide_uv(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "uv", None)
    monkeypatch.setenv("PATH", "/nowhere")


def test_the_same_requirements_again_upload_nothing_and_give_the_same_slug(
    dagy: Any, stage: Any, slug: str, requirements: Any
) -> None:
    again = dagy("packages", "create", requirements("numbers_x"))
    assert again.stdout == f"{slug}\n" and "nothing to upload" in again.stderr
    assert stage.uploads == 1
    renamed = dagy("packages", "create", "requirements.txt", "--name", "numbers", "--json").json
    assert (renamed["slug"], renamed["name"], renamed["uploaded"]) == (slug, "numbers", False)
    assert stage.uploads == 1
    assert [line.split()[:2] for line in dagy("packages", "list").stdout.splitlines()[1:]] == [[slug, "numbers"]]


def test_an_upload_whose_registration_was_lost_is_found_by_the_next_try(
    dagy: Any, stage: Any, slug: str, requirements: Any
) -> None:
    stage.ports.packages.delete_package(slug)
    assert dagy("packages", "create", requirements("numbers_x"), "--json").json["slug"] == slug
    assert stage.uploads == 1


def test_other_contents_give_another_slug(dagy: Any, slug: str, wheel: WheelIndex, requirements: Any) -> None:
    wheel("numbers_x", "1.1")
    assert dagy("packages", "create", requirements("numbers_x"), "--json").json["slug"] != slug
    assert dagy("packages", "create", requirements("numbers_x==1.0"), "--json").json["slug"] == slug


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_a_requirement_without_a_wheel_is_named_with_what_to_do(
    dagy: Any, stage: Any, wheel: WheelIndex, requirements: Any, installer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if installer == "pip":
        hide_uv(monkeypatch)
    wheel("numbers_x", needs="sharp-x")
    wheel("sharp_x", "1.0", f"{PYTHON}-{PYTHON}-win_amd64")
    said = dagy("packages", "create", requirements("numbers_x"), expect=2)
    assert "No wheel of sharp-x fits lambda-arm64-python3.13" in said.stderr
    assert "--find-links" in said.stderr and stage.uploads == 0


@pytest.mark.parametrize(
    "lines, code, words",
    [
        pytest.param([], 2, "asks for nothing", id="an empty file"),
        pytest.param(["dagy"], 2, "Leave it out", id="dagy itself"),
        pytest.param(["no_such_thing"], 2, "No wheel of no-such-thing", id="a name that is none"),
        pytest.param(["numbers_x ~~ 1"], 2, "Could not install", id="nonsense"),
    ],
)
def test_what_cannot_become_a_package_is_refused(
    dagy: Any, stage: Any, wheel: WheelIndex, requirements: Any, lines: list[str], code: int, words: str
) -> None:
    wheel("dagy")
    said = dagy("packages", "create", requirements(*lines), expect=code)
    assert words in said.stderr and "Traceback" not in said.stderr and stage.uploads == 0


def test_without_the_file_it_says_so(dagy: Any, stage: Any) -> None:
    assert "nowhere.txt" in dagy("packages", "create", "nowhere.txt", expect=5).stderr
    assert "no name" in dagy("packages", "create", "nowhere.txt", "--name", "no name", expect=2).stderr


def test_a_dry_run_builds_and_writes_nothing(dagy: Any, stage: Any, wheel: WheelIndex, requirements: Any) -> None:
    wheel("numbers_x")
    said = dagy("packages", "create", requirements("numbers_x"), "--dry-run", "--json")
    assert said.json["dry_run"] and len(said.json["slug"]) == 8
    assert stage.uploads == 0 and dagy("packages", "list", "--json").json == []


def test_what_tasks_get_from_the_runtime_anyhow_is_told(
    dagy: Any, stage: Any, wheel: WheelIndex, requirements: Any
) -> None:
    wheel("msgspec", "9.9")
    assert "holds msgspec" in dagy("packages", "create", requirements("msgspec")).stderr


def test_a_tests_folder_that_code_imports_from_is_kept(
    dagy: Any, stage: Any, wheel: WheelIndex, requirements: Any
) -> None:
    path = wheel("numbers_x")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("numbers_x/deep/tests/_needed.py", "")
        archive.writestr("numbers_x/deep/testing.py", "def f():\n    from .tests._needed import x\n")
        archive.writestr("numbers_x/other/tests/_not.py", "")
        archive.writestr("numbers_x/tests/_also.py", "")
        archive.writestr("numbers_x/other/b.py", "import os\nfrom numbers_x.tests._also import y\n")
    slug = dagy("packages", "create", requirements("numbers_x"), "--json").json["slug"]
    kept = [name for name in names_in(stage, slug) if "/tests/" in name]
    assert kept == ["numbers_x/deep/tests/_needed.py", "numbers_x/tests/_also.py"]


def test_deleting_asks_and_names_the_deployments_that_have_it(dagy: Any, stage: Any, slug: str, project: Any) -> None:
    dagy("deploy", project(), "--deployment", "nightly", "--dep-packages", slug)
    assert dagy("packages", "delete", slug, expect=2).stderr.count("--yes")
    assert "nightly" in dagy("packages", "delete", slug, "--yes", expect=6).stderr
    dagy("deploy", project(), "--deployment", "nightly", "--no-dep-packages")
    told = dagy("packages", "delete", slug, "--yes", "--json").json
    assert (told["slug"], told["deleted"]) == (slug, True)
    assert dagy("packages", "show", slug, expect=5)


@pytest.mark.parametrize(
    "words, flags",
    [
        ("f.py --dep-packages A1B2C3D4 X9Y8Z7W6", ["A1B2C3D4", "X9Y8Z7W6"]),
        ("--dep-packages A1B2C3D4 X9Y8Z7W6 f.py", ["A1B2C3D4", "X9Y8Z7W6"]),
        ("--dep-packages a1b2c3d4 f.py --force", ["a1b2c3d4"]),
        ("--dep-packages A1B2C3D4 X9Y8Z7W6 --dep-packages AAAAAAAA f.py", ["A1B2C3D4", "X9Y8Z7W6", "AAAAAAAA"]),
        ("f.py --dep-packages=A1B2C3D4 X9Y8Z7W6 --force", ["A1B2C3D4", "X9Y8Z7W6"]),
        ("--dep-packages odd f.py", ["odd"]),
        ("--dep-packages A1B2C3D4 -- X9Y8Z7W6", ["A1B2C3D4"]),
        ("--dep-packages", []),
    ],
)
def test_one_flag_takes_several_slugs_wherever_it_stands(words: str, flags: list[str]) -> None:
    found = spread(words.split())
    given = [word for before, word in zip(["", *found], found, strict=False) if before == "--dep-packages"]
    given += [word.partition("=")[2] for word in found if word.startswith("--dep-packages=")]
    assert sorted(given) == sorted(flags)
    assert [word for word in found if word == "f.py"] == [word for word in words.split() if word == "f.py"]


def test_packages_are_attached_in_order_stay_and_are_replaced(
    dagy: Any, stage: Any, slug: str, wheel: WheelIndex, requirements: Any, project: Any
) -> None:
    wheel("words_x")
    other = dagy("packages", "create", requirements("words_x"), "--json").json["slug"]
    flow = project()
    dagy("deploy", flow, "--dep-packages", other, slug.lower())
    assert dagy("deployments", "show", "etl", "--json").json["packages"] == [other, slug]
    assert "Skipping deployment" in dagy("deploy", flow, "--dep-packages", other, slug).stdout
    dagy("deploy", flow, "--force")
    assert dagy("deployments", "show", "etl", "--json").json["packages"] == [other, slug]
    assert "packages" in dagy("deploy", flow, "--dep-packages", slug).stdout
    assert dagy("deployments", "show", "etl", "--json").json["packages"] == [slug]
    said = dagy("deploy", flow, "--no-dep-packages", "--dep-packages", slug, expect=2)
    assert "contradicts" in said.stderr


def test_an_unknown_package_stops_a_deploy_before_anything_is_uploaded(dagy: Any, stage: Any, project: Any) -> None:
    said = dagy("deploy", project(), "--dep-packages", "A1B2C3D4", expect=5)
    assert "A1B2C3D4" in said.stderr and "dagy packages list" in said.stderr
    assert stage.uploads == 0


def test_a_clash_stops_a_deploy_before_anything_is_uploaded(
    dagy: Any, stage: Any, slug: str, wheel: WheelIndex, requirements: Any, project: Any
) -> None:
    wheel("numbers_x", "2.0")
    other = dagy("packages", "create", requirements("numbers_x"), "--json").json["slug"]
    uploads = stage.uploads
    said = dagy("deploy", project(), "--dep-packages", slug, other, expect=2)
    assert "Packages clash" in said.stderr and slug in said.stderr and other in said.stderr
    assert stage.uploads == uploads


IMPORTS = """\
import hypothesis
import yaml
from dagy import flow, task

@task
def one():
    return 1

@flow
def etl():
    return one()
"""


def test_a_deploy_names_the_imports_that_neither_runtime_nor_packages_have(
    dagy: Any, stage: Any, wheel: WheelIndex, requirements: Any, project: Any
) -> None:
    flow = project(IMPORTS)
    said = dagy("deploy", flow, "--dry-run")
    assert "imports hypothesis" in said.stderr and "imports PyYAML" in said.stderr
    assert "dagy packages create" in said.stderr

    wheel("PyYAML")
    slug = dagy("packages", "create", requirements("PyYAML"), "--json").json["slug"]
    said = dagy("deploy", flow, "--dep-packages", slug)
    assert "imports hypothesis" in said.stderr and slug in said.stderr
    assert "PyYAML" not in said.stderr
    zips = dagy("build", flow, "--output-dir", os.fspath(Path.cwd() / "out"), "--json").json["path"]
    said = dagy("deploy", zips, "--force")
    assert "imports hypothesis" in said.stderr and "PyYAML" not in said.stderr
