"""Resuming: runs that were killed or failed are finished under their own id, without repeating what is done."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dagy.local import LocalRecords
from dagy.local.layout import LocalPaths

DAGY = [sys.executable, "-c", "from dagy_cli.main import main; main()"]

FLOW = '''\
"""Counts in a file what ran; dies, fails or waits where the environment says so."""
import os, signal, sys
from pathlib import Path
from dagy import flow, task
import unused
from helpers import scaled
from shapes import Pair

HERE = Path(__file__).parent
SHIFT = 0

def ran(name):
    with (HERE / "ran").open("a") as file:
        file.write(name + "\\n")
    if os.environ.get("FAIL") == name:
        raise ValueError(f"{name} fails")
    if os.environ.get("DIE") == name:
        os.kill(os.getpid(), 9)
    if os.environ.get("WAIT") == name:
        sys.stdout.write("waiting\\n")
        sys.stdout.flush()
        sys.stdin.readline()

@task
def extract(n):
    ran(f"extract({n})")
    return [n, n + 1]

@task
def pair(n):
    ran("pair")
    return Pair(n)

@task(retries=0)
def clean(rows):
    # scales them
    ran("clean")
    return [scaled(row) + SHIFT for row in rows]

@task
def report(rows, more, both):
    ran("report")
    return sum(rows) + sum(more) + int(both.n)

@flow
def etl(n: int = 3):
    first = extract(n)
    both = pair(5)
    return report(clean(first), extract(10), both)
'''
HELPERS = "def scaled(x):\n    return x * 2\n"
SHAPES = "class Pair:\n    def __init__(self, n):\n        self.n = n\n"
RESULT = (3 + 4) * 2 + 10 + 11 + 5
ALL = ["extract(3)", "pair", "clean", "extract(10)", "report"]


class Project:
    """A flow in files, and its home."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.paths = LocalPaths(folder / "home")

    def write(self) -> None:
        self.folder.mkdir(parents=True)
        for name, text in (("flow", FLOW), ("helpers", HELPERS), ("shapes", SHAPES), ("unused", "")):
            (self.folder / f"{name}.py").write_text(text)

    def edit(self, file: str, old: str, new: str) -> None:
        path = self.folder / file
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    def dagy(self, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*words, **environ)
        out, err = process.communicate(timeout=120)
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def start(self, *words: str, **environ: str) -> subprocess.Popen[str]:
        home = {"DAGY_LOCAL_DIR": str(self.paths.root), "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.Popen(
            [*DAGY, *words],
            cwd=self.folder,
            env={**os.environ, **home, **environ},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @property
    def ran(self) -> list[str]:
        file = self.folder / "ran"
        return file.read_text().split() if file.exists() else []

    def forget_what_ran(self) -> None:
        (self.folder / "ran").unlink(missing_ok=True)

    @property
    def run_id(self) -> str:
        [folder] = self.paths.runs.iterdir()
        return folder.name

    def result(self) -> object:
        with LocalRecords(self.paths.root) as records:
            [run] = records.list_runs()
            assert run.status == "SUCCEEDED", run
            stored = records.stored_result(run.id)
            assert stored is not None
            return int(stored.data)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path / "project")
    made.write()
    return made


@pytest.fixture(scope="module")
def failed_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose run failed in its last task."""
    made = Project(tmp_path_factory.mktemp("failed") / "project")
    made.write()
    assert made.dagy("run", "flow.py:etl", FAIL="report").returncode == 8
    assert Counter(made.ran) == Counter(ALL)
    return made.folder


@pytest.fixture
def failed(failed_once: Path, tmp_path: Path) -> Project:
    """A copy of it, with nothing counted yet."""
    copied = Project(tmp_path / "project")
    shutil.copytree(failed_once, copied.folder)
    copied.forget_what_ran()
    return copied


def lines(done: subprocess.CompletedProcess[str]) -> list[str]:
    return [line.strip() for line in done.stderr.splitlines() if line.startswith("  ")]


@pytest.mark.parametrize("point", ALL)
def test_a_run_killed_at_any_task_is_finished_without_repeating_what_is_done(project: Project, point: str):
    assert project.dagy("run", "flow.py:etl", DIE=point).returncode == -signal.SIGKILL
    killed = project.run_id
    done = project.dagy("run", "--resume", killed[:12])
    assert done.returncode == 0, done.stderr
    assert Counter(project.ran) == Counter([*ALL, point])
    assert project.result() == RESULT
    assert project.run_id == killed


def test_what_is_kept_and_what_runs_is_said_before_anything_runs(failed: Project):
    done = failed.dagy("run", "--resume", failed.run_id, "flow.py:etl", FAIL="report")
    assert done.returncode == 8
    assert lines(done)[:5] == [
        "extract-1 kept",
        "pair-1 kept",
        "clean-1 kept",
        "extract-2 kept",
        "report-1 runs again: it failed",
    ]
    assert failed.ran == ["report"]


@pytest.mark.parametrize(
    ("file", "old", "new", "again", "said"),
    [
        pytest.param("flow.py", "# scales them", "# scales them all\n\n", [], "clean-1 kept", id="a comment"),
        pytest.param("flow.py", "retries=0", "retries=2", [], "clean-1 kept", id="a setting of the task"),
        pytest.param("unused.py", "", "x = 1", [], "clean-1 kept", id="a module that no task uses"),
        pytest.param(
            "flow.py",
            "[scaled(row) + SHIFT",
            "[scaled(row) + 0",
            ["clean"],
            "clean-1 runs again: its code changed (flow.py:34)",
            id="a task's code",
        ),
        pytest.param(
            "flow.py",
            "SHIFT = 0",
            "SHIFT = 1 - 1",
            ["clean"],
            "clean-1 runs again: it uses SHIFT in flow.py, which changed",
            id="a constant it uses",
        ),
        pytest.param(
            "helpers.py",
            "x * 2",
            "2 * x",
            ["clean"],
            "clean-1 runs again: it uses helpers.py, which changed",
            id="a module it uses",
        ),
        pytest.param(
            "flow.py",
            "return [n, n + 1]",
            "return [n, 1 + n]",
            ["extract(3)", "clean", "extract(10)"],
            "clean-1 runs again: extract-1 does",
            id="a task before it",
        ),
        pytest.param(
            "flow.py",
            "def ran(name):",
            "print('imported')\ndef ran(name):",
            ["extract(3)", "pair", "clean", "extract(10)"],
            "pair-1 runs again: it uses other code than before: the top level in flow.py",
            id="what the file does when imported",
        ),
        pytest.param(
            "flow.py",
            "return report(clean(first), extract(10), both)",
            "done = report(clean(first), extract(11 - 1), both)\n    extract(12)\n    return done",
            ["extract(12)"],
            "extract-3 runs: it is new",
            id="a new task",
        ),
        pytest.param("flow.py", "pair(5)", "pair(2 + 3)", [], "pair-1 kept", id="the same argument, written otherwise"),
        pytest.param("flow.py", "pair(5)", "pair(5.0)", ["pair"], "pair-1 runs again: its arguments changed", id="5.0"),
    ],
)
def test_a_finished_task_runs_again_when_its_code_or_what_it_got_changed(
    failed: Project, file: str, old: str, new: str, again: list[str], said: str
):
    failed.edit(file, old, new)
    done = failed.dagy("run", "--resume", failed.run_id, "flow.py:etl")
    assert done.returncode == 0, done.stderr
    assert said in lines(done)
    assert Counter(failed.ran) == Counter([*again, "report"])
    assert failed.result() == RESULT


def test_a_task_the_flow_has_no_more_is_gone_from_the_run(failed: Project):
    failed.edit("flow.py", "report(clean(first)", "report(first")
    assert failed.dagy("run", "--resume", failed.run_id, "flow.py:etl").returncode == 0
    failed.paths.database.unlink()  # it is made anew from the files
    with LocalRecords(failed.paths.root) as records:
        ids = [task.id for task in records.task_runs(failed.run_id)]
    assert ids == ["extract-1", "pair-1", "extract-2", "report-1"]
    assert failed.ran == ["report"]


def test_a_result_that_cannot_be_loaded_any_more_is_made_again(failed: Project):
    failed.edit("shapes.py", "Pair", "Couple")
    failed.edit("flow.py", "from shapes import Pair", "from shapes import Couple as Pair")
    done = failed.dagy("run", "--resume", failed.run_id, "flow.py:etl")
    assert Counter(failed.ran) == Counter(["pair", "report"])
    assert failed.result() == RESULT
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("path", "found"),
    [
        pytest.param("clean-1/result.json", ["clean", "report"], id="of a task that is needed"),
        pytest.param("extract-1/result.json", ["report"], id="of one that nobody needs any more"),
    ],
)
def test_a_stored_result_that_is_damaged_is_made_again_when_it_is_needed(failed: Project, path: str, found: list[str]):
    (failed.paths.artifacts_of(failed.run_id) / path).write_bytes(b"[")
    done = failed.dagy("run", "--resume", failed.run_id, "flow.py:etl")
    assert done.returncode == 0, done.stderr
    assert failed.ran == found
    assert ("its result cannot be loaded any more" in done.stderr) == (found != ["report"])
    assert failed.result() == RESULT


def test_what_made_a_lost_result_runs_before_what_needs_it(failed: Project):
    for id in ("extract-1", "clean-1"):
        (failed.paths.artifacts_of(failed.run_id) / id / "result.json").unlink()
    done = failed.dagy("run", "--resume", failed.run_id, "flow.py:etl")
    assert done.returncode == 0, done.stderr
    assert failed.ran == ["extract(3)", "clean", "report"]


def test_a_resumed_run_can_be_resumed(project: Project):
    assert project.dagy("run", "flow.py:etl", DIE="clean").returncode == -signal.SIGKILL
    assert project.dagy("run", "--resume-last", FAIL="report").returncode == 8
    project.edit("helpers.py", "x * 2", "x + x")
    assert project.dagy("run", "--resume-last", DIE="report").returncode == -signal.SIGKILL
    project.forget_what_ran()
    done = project.dagy("run", "--resume-last")
    assert done.returncode == 0, done.stderr
    assert project.ran == ["report"]
    assert project.result() == RESULT
    with LocalRecords(project.paths.root) as records:
        attempts = {task.id: task.attempt for task in records.task_runs(project.run_id)}
        log = records.log_path(project.run_id).read_text()
    assert attempts["extract-1"] == attempts["pair-1"] == attempts["extract-2"] == 1
    assert attempts["report-1"] > 1
    assert log.count("resumed: ") == 3
    journal = project.paths.kept_journal(project.run_id).read_text()
    assert journal.count('"event":"runresumed"') == 3
    assert journal.count('"event":"runended"') == 4  # those that were killed were given their end


@pytest.fixture
def waiting(failed: Project) -> Iterator[subprocess.Popen[str]]:
    """The failed run, resumed, in its last task."""
    process = failed.start("run", "--resume", failed.run_id, "flow.py:etl", WAIT="report")
    assert process.stdout is not None
    assert process.stdout.readline() == "waiting\n"
    yield process
    process.kill()
    process.communicate()


def test_of_two_that_resume_a_run_one_learns_who_has_it(failed: Project, waiting: subprocess.Popen[str]):
    refused = failed.dagy("run", "--resume", failed.run_id, "flow.py:etl")
    assert refused.returncode == 6
    assert f"goes on in process {waiting.pid}" in refused.stderr
    waiting.communicate("go\n", timeout=60)
    assert waiting.returncode == 0
    assert failed.ran == ["report"]


@pytest.mark.parametrize("round", range(3))
def test_two_that_resume_at_the_same_moment_do_the_work_once(failed: Project, round: int):
    both = [failed.start("run", "--resume", failed.run_id, "flow.py:etl") for _ in range(2)]
    said = [process.communicate(timeout=120)[1] for process in both]
    assert sorted(process.returncode for process in both) == [0, 6], said
    assert failed.ran == ["report"]
    assert failed.result() == RESULT


def test_a_run_that_is_being_resumed_is_shown_as_running_once(failed: Project, waiting: subprocess.Popen[str]):
    with LocalRecords(failed.paths.root) as records:
        assert [run.status for run in records.list_runs()] == ["RUNNING"]
        assert records.list_runs(status="FAILED") == []
        assert records.get_run(failed.run_id).task_counts["SUCCEEDED"] == 4


def test_a_run_that_is_being_resumed_is_not_cleaned_up(failed: Project, waiting: subprocess.Popen[str]):
    script = "import dagy, sys; sys.path.insert(0, '.'); import flow; flow.etl.run_local(cleanup_keep_last=1)"
    environ = {**os.environ, "DAGY_LOCAL_DIR": str(failed.paths.root)}
    subprocess.run([sys.executable, "-c", script], cwd=failed.folder, env=environ, check=True, timeout=60)
    waiting.communicate("go\n", timeout=60)
    assert waiting.returncode == 0
    with LocalRecords(failed.paths.root) as records:
        assert [run.status for run in records.list_runs()] == ["SUCCEEDED", "SUCCEEDED"]


REFUSED: dict[str, tuple[Callable[[str], list[str]], int, str]] = {
    "an unknown run": (lambda run_id: ["--resume", "nobody-knows-it"], 5, "Run not found"),
    "other parameters": (lambda run_id: ["--resume", run_id, "--param", "n=4"], 2, "with its own parameters"),
    "a stage": (lambda run_id: ["--resume", run_id, "--remote"], 2, "goes on here"),
    "another flow": (lambda run_id: ["--resume", run_id, "other.py:other"], 2, "is of flow 'etl', not of 'other'"),
    "a file that is gone": (lambda run_id: ["--resume", run_id, "gone.py:etl"], 5, "gone.py"),
}


@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in REFUSED.items()])
def test_what_cannot_be_meant_is_refused_and_the_run_stays_as_it_was(
    failed: Project, case: tuple[Callable[[str], list[str]], int, str]
):
    words, code, said = case
    (failed.folder / "other.py").write_text("from dagy import flow\n@flow\ndef other():\n    return 1\n")
    refused = failed.dagy("run", *words(failed.run_id))
    assert (refused.returncode, said in refused.stderr) == (code, True), refused.stderr
    assert failed.dagy("run", "--resume", failed.run_id, "flow.py:etl").returncode == 0
    assert failed.ran == ["report"]


def test_a_run_that_succeeded_has_nothing_to_resume(failed: Project):
    words = ("run", "--resume", failed.run_id, "flow.py:etl")
    assert failed.dagy(*words).returncode == 0
    refused = failed.dagy(*words)
    assert refused.returncode == 6
    assert "succeeded: there is nothing to resume" in refused.stderr
    assert failed.ran == ["report"]
