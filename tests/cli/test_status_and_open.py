"""`dagy status`: how things are, at a glance. `dagy open`: the web app's pages."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dagy.config import write_profile
from dagy.version import VERSION

DAGY = Path(sys.executable).parent / "dagy"
LAST_S = 60.0
Write = Callable[..., str]


# --- status -------------------------------------------------------------------------------------------------


def test_with_nothing_there_is_still_an_answer(dagy: Any, home: Path) -> None:
    said = dagy("status", "--json").json

    assert said == {
        "profile": None, "stage": None, "api_url": None, "api": None, "who": None, "remote": None,
        "local": {"folder": str(home), "error": None, "running": 0, "last_run": None, "size_bytes": 0},
    }  # fmt: skip
    assert dagy("status").stdout.splitlines()[0] == "Profile   none: no API, everything is local"
    assert not home.exists()


def test_the_stage_is_told_with_who_one_is(dagy: Any, stage: Any, project: Write) -> None:
    dagy("deploy", f"{project()}:etl", "--schedule", "0 7 * * *")
    ids = [dagy("run", "etl", "--json").json["run_id"] for _ in range(3)]
    stage.play(ids[0], fails_with="no rows")
    stage.asked.clear()

    said = dagy("status", "--json").json

    assert said["api"] == {"is_reachable": True, "version": VERSION, "error": None, "hint": None}
    assert (said["who"]["name"], said["who"]["role"]) == ("admin", "admin")
    assert said["remote"] == {"active_runs": 2, "deployments": 1}
    assert all(asked.startswith("GET ") for asked in stage.asked)
    assert "Stage     2 active runs, 1 deployment" in dagy("status").stdout

    detail = dagy("status", "--detail", "--json").json["remote"]
    assert {run["run_id"] for run in detail["runs"]} == set(ids[1:])
    assert detail["last_failed"]["run_id"] == ids[0]
    assert (detail["scheduled"], detail["next_fire"]["deployment"]) == (1, "etl")
    assert f"last failed: {ids[0]}" in dagy("status", "--detail").stdout


def test_an_api_that_does_not_answer_is_told_and_no_error(dagy: Any) -> None:
    write_profile("dev", api_url="http://127.0.0.1:9", stage="dev")

    said = dagy("status", "--json").json

    assert said["api"]["is_reachable"] is False
    assert "Unable to reach Dagy API" in said["api"]["error"]
    assert said["remote"] is None
    assert "API       does not answer" in dagy("status").stdout


def test_a_key_that_is_not_known_is_told_with_what_to_do(dagy: Any, stage: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("DAGY_API_KEY", "dgy_nobody_knowsit")

    said = dagy("status", "--json").json

    assert said["api"]["is_reachable"] is True
    assert said["who"] is None
    assert said["api"]["error"].startswith("APIError 401")


def test_what_runs_here_and_what_takes_room_is_told(dagy: Any, project: Write, home: Path) -> None:
    source = """
import pathlib, time
from dagy import flow, task
@task
def wait():
    while not pathlib.Path("go").exists():
        time.sleep(0.01)
@flow
def waiting():
    wait()
"""
    Path("waiting.py").write_text(source)
    dagy("run", project())
    dagy("build", project())
    with subprocess.Popen([DAGY, "run", "waiting.py", "--quiet"], stdout=subprocess.PIPE) as going:
        deadline_s = time.monotonic() + LAST_S
        while not list((home / "journals").glob("*.jsonl")):
            assert time.monotonic() < deadline_s
            time.sleep(0.01)
        local = dagy("status", "--detail", "--json").json["local"]
        Path("go").touch()
        assert going.wait(LAST_S) == 0

    assert local["running"] == 1
    assert local["running_runs"][0]["run_id"] == local["last_run"]["run_id"]
    assert set(local["sizes_bytes"]) == {"runs", "results", "builds", "database"}
    assert local["size_bytes"] == sum(local["sizes_bytes"].values())
    text = dagy("status", "--detail").stdout
    assert "Here      no run going on; the last was waiting-" in text
    assert "  database " in text


def test_records_that_cannot_be_read_hide_nothing_else(dagy: Any, home: Path) -> None:
    home.mkdir()
    (home / "dagy.duckdb").mkdir()

    local = dagy("status", "--json").json["local"]

    assert "dagy.duckdb" in local["error"]
    assert "dagy.duckdb" in dagy("status").stdout


# --- open ---------------------------------------------------------------------------------------------------


@pytest.fixture
def app(stage: Any) -> str:
    url = "http://127.0.0.1:9/app"
    write_profile("dev", app_url=f"{url}/")
    return url


def test_the_pages_of_the_app_are_named(dagy: Any, stage: Any, app: str, project: Write) -> None:
    dagy("deploy", f"{project()}:etl", "--deployment", "nightly-report")
    run_id = dagy("run", "nightly-report", "--json").json["run_id"]
    stage.asked.clear()

    assert dagy("open").stdout == f"{app}\n"
    assert dagy("open", run_id, "--json").json == {"url": f"{app}/runs/{run_id}", "opened": False}
    assert stage.asked == []  # what can only be a run is not asked about
    assert dagy("open", "nightly-report").stdout == f"{app}/deployments/nightly-report\n"
    assert dagy("open", "--last").stdout == dagy("open", run_id[:-2]).stdout == f"{app}/runs/{run_id}\n"
    assert "Did you mean nightly-report?" in dagy("open", "nightly-reprt", expect=5).stderr


def test_the_variable_wins_over_the_profile(dagy: Any, app: str, monkeypatch: Any) -> None:
    monkeypatch.setenv("DAGY_APP_URL", "http://127.0.0.1:8")

    assert dagy("open").stdout == "http://127.0.0.1:8\n"


@pytest.mark.parametrize("opener, code, said", [("touch", 0, "Opening it in your browser"), ("false", 0, "No browser")])
def test_on_a_terminal_the_browser_is_opened(
    home: Path, monkeypatch: Any, opener: str, code: int, said: str, tmp_path: Path
) -> None:
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\n{opener} "{tmp_path}/$(basename "$1")"\n')
    browser.chmod(0o755)
    write_profile("dev", app_url="http://127.0.0.1:9/page")
    environ = {**os.environ, "BROWSER": f"{browser} %s", "PATH": os.environ["PATH"]}

    def on_terminal(*words: str) -> str:
        command = ["script", "-qec", " ".join([str(DAGY), "open", *words]), "/dev/null"]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=LAST_S)
        assert done.returncode == code
        return done.stdout

    shown = on_terminal("--no-browser")
    assert "http://127.0.0.1:9/page" in shown
    assert not (tmp_path / "page").exists()
    assert said not in shown

    shown = on_terminal()
    assert said in shown
    assert "http://127.0.0.1:9/page" in shown
    assert (tmp_path / "page").exists() is (opener == "touch")


@pytest.mark.parametrize(
    "words, code, message",
    [
        pytest.param(["open"], 2, "Profile dev has no app_url", id="no app"),
        pytest.param(["open", "x", "--last"], 2, "Give a run id or a deployment, or --last.", id="two of them"),
    ],
)
def test_what_cannot_be_opened_is_told(dagy: Any, words: list[str], code: int, message: str) -> None:
    write_profile("dev", api_url="http://127.0.0.1:9")

    assert message in dagy(*words, expect=code).stderr


def test_without_a_profile_and_without_runs_there_is_no_page(dagy: Any, stage: Any, app: str) -> None:
    assert "none has been started yet" in dagy("open", "--last", expect=5).stderr
    dagy("config", "delete", "dev", "--yes")
    assert "dagy config set <name> --app-url" in dagy("open", expect=2).stderr
