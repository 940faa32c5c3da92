"""`dagy clean`: what is said goes, nothing else, whatever happens meanwhile."""

from __future__ import annotations

import datetime as dt
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

DAGY = Path(sys.executable).parent / "dagy"
LAST_S = 60.0
FLOW = """\
from dagy import flow, task
@task
def one(n: int):
    print("n is", n)
    return n
@flow
def small(n: int = 1):
    return one(n)
"""
Run = Callable[..., str]


@pytest.fixture
def run(dagy: Any, project: Any) -> Run:
    """Run a flow here, `days` ago as far as the records know, and give its id."""
    target = f"{project(FLOW)}:small"

    def start(*, days: float = 0) -> str:
        run_id: str = dagy("run", target, "--json").json["run_id"]
        if days:
            _make_older(dagy.home, run_id, days)
        return run_id

    return start


def _make_older(home: Path, run_id: str, days: float) -> None:
    import duckdb

    with duckdb.connect(str(home / "dagy.duckdb")) as records:
        ago = dt.timedelta(days=days)
        records.execute(
            "UPDATE runs SET ended_at = ended_at - $ago, started_at = started_at - $ago WHERE id = $id",
            {"ago": ago, "id": run_id},
        )


def runs_of(dagy: Any) -> list[str]:
    return [run["run_id"] for run in dagy("runs", "list", "--json").json]


def folders(home: Path, kind: str) -> list[str]:
    return sorted(path.name for path in (home / kind).iterdir()) if (home / kind).exists() else []


def row(dagy: Any, kind: str, *words: str) -> dict[str, Any]:
    found: dict[str, Any] = next(row for row in dagy("clean", *words, "--json").json if row["type"] == kind)
    return found


def test_what_is_older_goes_with_its_files_and_the_rest_stays(dagy: Any, run: Run, home: Path) -> None:
    old, new = run(days=8), run()

    gone = row(dagy, "runs", "--older-than", "7d", "--yes")

    assert (gone["count"], gone["kept_count"], gone["dry_run"]) == (1, 1, False)
    assert gone["size_bytes"] > 0
    assert runs_of(dagy) == [new]
    assert folders(home, "runs") == folders(home, "artifacts") == [new]
    assert f"Run not found: {old}" in dagy("runs", "show", old, expect=5).stderr


@pytest.mark.parametrize(
    "age, days, goes", [("30m", 0.1, True), ("24h", 0.9, False), ("24h", 1.1, True), ("2w", 13, False)]
)
def test_ages_are_written_as_people_write_them(dagy: Any, run: Run, age: str, days: float, goes: bool) -> None:
    run(days=days)

    assert row(dagy, "runs", "--older-than", age, "--dry-run")["count"] == int(goes)


def test_the_newest_are_kept_and_both_conditions_must_hold(dagy: Any, run: Run) -> None:
    ids = [run(days=days) for days in (4, 3, 2, 0)]

    assert row(dagy, "runs", "--keep", "2", "--older-than", "84h", "--dry-run")["count"] == 1
    assert row(dagy, "runs", "--keep", "4", "--older-than", "1d", "--dry-run")["count"] == 0
    assert row(dagy, "runs", "--keep", "1", "--yes")["count"] == 3
    assert runs_of(dagy) == ids[-1:]


def test_a_dry_run_removes_nothing_and_tells_all(dagy: Any, run: Run, home: Path) -> None:
    run_id = run()
    before = sorted(home.rglob("*"))

    said = dagy("clean", "--all", "--dry-run", "--verbose")

    assert said.stdout.startswith("Would remove 1 run (")
    assert f"would remove {run_id}" in said.stderr
    assert sorted(home.rglob("*")) == before


def test_builds_go_by_themselves(dagy: Any, run: Run, project: Any, home: Path) -> None:
    run_id = run()
    built = Path(dagy("build", project(), "--json").json["path"])
    mine = dagy("build", project(), "--output-dir", "mine", "--json").json["path"]

    assert row(dagy, "builds", "--all", "--dry-run")["count"] == 1
    said = dagy("clean", "--all", "--type", "builds", "--yes", "--json").json
    assert [each["type"] for each in said] == ["builds"]
    assert not built.parent.parent.exists()
    assert Path(mine).exists()
    assert runs_of(dagy) == [run_id]


def test_profiles_keys_and_the_local_cloud_stay(dagy: Any, run: Run, home: Path) -> None:
    run()
    dagy("config", "set", "dev", "--api-url", "http://127.0.0.1:9")
    (home / "cloud").mkdir()
    (home / "cloud" / "state.json").write_text("precious")

    dagy("clean", "--all", "--yes")

    assert (home / "cloud" / "state.json").read_text() == "precious"
    assert [profile["name"] for profile in dagy("config", "list", "--json").json] == ["dev"]
    assert runs_of(dagy) == []


def test_a_run_that_goes_on_stays_and_comes_to_its_end(dagy: Any, run: Run, home: Path) -> None:
    done = run()
    waiting = "import pathlib, time\n    while not pathlib.Path('go').exists():\n        time.sleep(0.01)"
    Path("waiting.py").write_text(FLOW.replace('print("n is", n)', waiting))
    with subprocess.Popen([DAGY, "run", "waiting.py:small", "--quiet"], stdout=subprocess.PIPE) as going:
        deadline_s = time.monotonic() + LAST_S
        while not list((home / "journals").glob("*.jsonl")):
            assert time.monotonic() < deadline_s
            time.sleep(0.01)
        gone = row(dagy, "runs", "--all", "--yes")
        Path("go").touch()
        assert going.wait(LAST_S) == 0

    assert gone["count"] == 1
    left = runs_of(dagy)
    assert len(left) == 1
    assert left != [done]
    assert dagy("logs", left[0]).code == 0


def test_a_run_whose_process_died_goes_like_any_other(dagy: Any, home: Path) -> None:
    Path("dying.py").write_text(FLOW.replace('print("n is", n)', "import os; os._exit(3)"))
    subprocess.run([DAGY, "run", "dying.py:small"], check=False, capture_output=True)

    assert row(dagy, "runs", "--all", "--yes")["count"] == 1
    assert folders(home, "runs") == folders(home, "artifacts") == folders(home, "journals") == []


def test_files_of_no_run_go_when_they_are_not_new(dagy: Any, run: Run, home: Path) -> None:
    run()
    (home / "runs" / "etl-20200101T000000Z-aaaaaa").mkdir()
    (home / "artifacts" / "etl-20200102T000000Z-bbbbbb").mkdir()
    (home / "runs" / "etl-20300101T000000Z-cccccc").mkdir()  # a run that is just about to begin looks like this
    hours_ago = time.time() - 2 * 3600
    for folder in ("runs/etl-20200101T000000Z-aaaaaa", "artifacts/etl-20200102T000000Z-bbbbbb"):
        os.utime(home / folder, (hours_ago, hours_ago))

    assert row(dagy, "runs", "--all", "--yes")["count"] == 3
    assert folders(home, "runs") == ["etl-20300101T000000Z-cccccc"]
    assert folders(home, "artifacts") == []


def test_a_clean_that_is_killed_is_finished_by_the_next_one(dagy: Any, run: Run, home: Path) -> None:
    ids = [run() for _ in range(6)]
    for run_id in ids:
        for n in range(800):
            (home / "artifacts" / run_id / f"part-{n}").write_text("x" * 100)
    cleaning = subprocess.Popen([DAGY, "clean", "--all", "--yes", "--quiet"], stdout=subprocess.PIPE)
    deadline_s = time.monotonic() + LAST_S
    while len(folders(home, "artifacts")) == len(ids):
        assert time.monotonic() < deadline_s
    cleaning.send_signal(signal.SIGKILL)
    cleaning.communicate(timeout=LAST_S)

    left = runs_of(dagy)
    assert set(folders(home, "artifacts")) <= set(left)
    for run_id in left:
        dagy("runs", "show", run_id)

    assert row(dagy, "runs", "--all", "--yes")["count"] == len(left)
    assert runs_of(dagy) == folders(home, "runs") == folders(home, "artifacts") == []


def test_two_at_once_do_not_mind_each_other(dagy: Any, run: Run, home: Path) -> None:
    for _ in range(4):
        run()
    both = [subprocess.Popen([DAGY, "clean", "--all", "--yes", "--quiet"], stdout=subprocess.PIPE) for _ in range(2)]

    for each in both:
        each.communicate(timeout=LAST_S)
    assert [each.returncode for each in both] == [0, 0]
    assert runs_of(dagy) == folders(home, "runs") == []


def test_nothing_is_an_answer_and_nobody_is_asked_about_it(dagy: Any, home: Path) -> None:
    said = dagy("clean", "--all")

    assert said.stdout.splitlines() == ["0 runs (0 B); 0 runs (0 B) stay", "0 builds (0 B); 0 builds (0 B) stay"]
    assert "Nothing to remove." in said.stderr
    assert not home.exists()


@pytest.mark.parametrize(
    "words, message",
    [
        pytest.param([], "Say what may go", id="nothing said"),
        pytest.param(["--all", "--keep", "3"], "--all means everything", id="all but some"),
        pytest.param(
            ["--all", "--type", "rns"], "Unknown type 'rns': types are runs, builds. Did you mean", id="a type"
        ),
        pytest.param(["--all", "--type", ""], "Unknown type ''", id="no type"),
        pytest.param(["--older-than", "week"], "'week' is no age", id="an age"),
        pytest.param(["--older-than", "-1d"], "'-1d' is no age", id="the future"),
        pytest.param(["--keep", "-1"], "-1 is not in the range", id="fewer than none"),
    ],
)
def test_what_cannot_be_meant_is_told(dagy: Any, words: list[str], message: str) -> None:
    assert message in dagy("clean", *words, expect=2).stderr


def test_it_asks_before_anything_goes(dagy: Any, run: Run) -> None:
    run_id = run()

    assert "Remove 1 run (" in dagy("clean", "--all", expect=2).stderr
    assert runs_of(dagy) == [run_id]
