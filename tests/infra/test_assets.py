"""The Lambda zips: the same from the same input, built once, with the sentence that helps when they are missing."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagy.core.errors import NotFound, Unavailable
from dagy_infra import app, assets, wheels
from dagy_infra.assets import build_assets, find_asset, host_target, target_of
from dagy_infra.bytecode import bytecode_version, compiled
from dagy_infra.stages import Emulator, host_python_version, stage_config
from dagy_infra.wheels import Target
from dagy_infra.zips import read_zip_info, write_zip

PACKAGE = Path(assets.__file__).parent


@given(st.dictionaries(st.from_regex(r"[a-z]{1,8}(/[a-z]{1,8}){0,2}\.py", fullmatch=True), st.binary(max_size=200)))
def test_the_same_files_make_the_same_zip_in_whatever_order_they_come(files: dict[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        one = write_zip(folder / "one.zip", dict(files), key="k")
        other = write_zip(folder / "other.zip", dict(reversed(files.items())), key="k")
        assert one == other
        assert (folder / "one.zip").read_bytes() == (folder / "other.zip").read_bytes()
        with zipfile.ZipFile(folder / "one.zip") as archive:
            assert {name: archive.read(name) for name in archive.namelist()} == files


def test_what_is_in_a_zip_is_told_by_its_hash_whatever_it_was_built_from(tmp_path: Path) -> None:
    one = write_zip(tmp_path / "a.zip", {"a.py": b"1"}, key="k1")
    assert read_zip_info(tmp_path / "a.zip") == one
    assert write_zip(tmp_path / "b.zip", {"a.py": b"1"}, key="k2").contents_sha256 == one.contents_sha256
    assert write_zip(tmp_path / "c.zip", {"a.py": b"2"}, key="k1").contents_sha256 != one.contents_sha256
    assert write_zip(tmp_path / "d.zip", {"b.py": b"1"}, key="k1").contents_sha256 != one.contents_sha256


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(None, id="nothing there"),
        pytest.param(b"not a zip", id="no zip"),
        pytest.param(b"PK\x05\x06" + bytes(18), id="somebody else's zip"),
    ],
)
def test_a_file_that_is_no_zip_of_ours_is_told_apart(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "x.zip"
    if content is not None:
        path.write_bytes(content)
    assert read_zip_info(path) is None


def test_missing_zips_are_explained_in_one_sentence_with_the_command_that_builds_them(tmp_path: Path) -> None:
    with pytest.raises(NotFound) as missing:
        app.build_app(stage_config("dev"), assets=tmp_path)
    assert missing.value.hint == "Build it: python -m dagy_infra.assets"
    local = stage_config("local", emulator=Emulator("http://127.0.0.1:1"))
    with pytest.raises(NotFound) as missing:
        app.build_app(local, assets=tmp_path)
    assert missing.value.hint == "Build it: python -m dagy_infra.assets --stage local"


def test_stages_on_aws_are_built_for_lambda_and_the_local_one_for_this_machine() -> None:
    assert target_of(stage_config("prod")) == Target("arm64", "3.13", is_host=False)
    assert target_of(stage_config("local", emulator=Emulator("http://127.0.0.1:1"))) == host_target()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built")
    build_assets(host_target(), folder=folder)
    return folder


def test_the_zips_hold_what_the_functions_import_and_nothing_of_the_laptop(built: Path) -> None:
    runtime, api = (_names(find_asset(kind, host_target(), folder=built).path) for kind in assets.KINDS)
    tops = {name.split("/")[0] for name in runtime if ".dist-info" not in name}
    assert {"dagy", "dagy_runtime", "msgspec", "fastjsonschema", "cronsim", "tzdata"} <= tops
    assert not tops & {"boto3", "botocore", "click", "duckdb", "starlette", "dagy_cli", "dagy_infra", "aws_cdk"}
    assert {"starlette", "mangum"} <= {name.split("/")[0] for name in api}
    assert runtime < api
    assert not [name for name in api if name.endswith(".pyi") or "/tests/" in name]


def _names(path: Path) -> set[str]:
    with zipfile.ZipFile(path) as archive:
        return set(archive.namelist())


def test_a_function_starts_from_bytecode_that_is_the_same_wherever_it_is_built(built: Path, tmp_path: Path) -> None:
    """Read without a look at the sources, whatever their times: a cold start compiles nothing."""
    with zipfile.ZipFile(find_asset("api", host_target(), folder=built).path) as archive:
        archive.extractall(tmp_path)
        names = set(archive.namelist())
    tag = sys.implementation.cache_tag
    for name in names:
        if name.endswith(".py"):
            folder, _, file = name.rpartition("/")
            assert f"{folder}/__pycache__/{file[:-3]}.{tag}.pyc".lstrip("/") in names
    for path in tmp_path.rglob("*.pyc"):
        assert path.read_bytes()[4:8] == b"\x01\0\0\0"  # PEP 552: by hash, unchecked
        assert str(tmp_path).encode() not in path.read_bytes()
    source = tmp_path / "dagy" / "version.py"
    source.write_text("raise SystemExit('compiled anew')")
    program = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import dagy.version; print(dagy.version.__file__)"
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(source)


def test_bytecode_is_made_only_by_the_python_that_will_read_it(tmp_path: Path) -> None:
    assert bytecode_version(host_python_version()) == sys.implementation.cache_tag
    assert bytecode_version("3.99") is None
    good, bad = tmp_path / "good.py", tmp_path / "bad.py"
    good.write_text("x = 1\n")
    bad.write_text("x =\n")
    files = {"pkg/good.py": good, "pkg/bad.py": bad, "pkg/data.txt": good}
    assert list(compiled(files)) == [f"pkg/__pycache__/good.{sys.implementation.cache_tag}.pyc"]
    assert compiled(files) == compiled(files)


def test_the_zips_are_small(built: Path) -> None:
    for kind in assets.KINDS:
        assert find_asset(kind, host_target(), folder=built).path.stat().st_size < 5 * 2**20


def test_an_unchanged_build_does_nothing(built: Path) -> None:
    said: list[str] = []
    before = {kind: find_asset(kind, host_target(), folder=built).path.stat().st_mtime_ns for kind in assets.KINDS}
    build_assets(host_target(), folder=built, report=said.append)
    assert said == []
    assert {k: find_asset(k, host_target(), folder=built).path.stat().st_mtime_ns for k in assets.KINDS} == before


@pytest.mark.parametrize("name", ["runtime", "api"])
def test_locks_pin_every_hash_and_name_no_index(name: str) -> None:
    text = (PACKAGE / "locks" / f"{name}.txt").read_text()
    assert "://" not in text
    assert "--index" not in text
    pins = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
    assert pins
    assert all("==" in pin for pin in pins)
    assert text.count("==") <= text.count("--hash=sha256:")


def test_what_is_wanted_is_wanted_in_pyproject_too() -> None:
    pyproject = (PACKAGE.parents[1] / "pyproject.toml").read_text()
    for name in ("runtime", "api"):
        for line in (PACKAGE / "locks" / f"{name}.in").read_text().splitlines():
            if line and not line.startswith(("#", "-r")):
                assert f'"{line}"' in pyproject, line


def test_without_any_index_the_error_says_what_uv_and_pip_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = tmp_path / "lock.txt"
    lock.write_text("no-such-distribution-of-dagy==1 --hash=sha256:" + "0" * 64 + "\n")
    for variable in ("PIP_NO_INDEX", "UV_NO_INDEX", "UV_OFFLINE"):
        monkeypatch.setenv(variable, "1")
    with pytest.raises(Unavailable, match=r"lock\.txt") as refused:
        wheels.install(lock, host_target(), tmp_path / "into")
    assert "uv:" in str(refused.value)
    assert "no-such-distribution-of-dagy" in str(refused.value)
