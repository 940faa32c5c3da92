"""Runs killed with `kill -9` by chance, resumed, sometimes killed again: `python benchmarks/kill_trials.py`.

Half of the moments are chosen by time, from the flow's first line to the end of its process; half by the number of
tasks that have started.
Looked for in every trial: a run that is shown as running though nobody runs it, a finished task whose result is lost or
that runs again, a task that started before its parents' results were safe, a wrong result, a run listed twice or not
at all, a log that lacks a line, a bystander (another run in the same home at the same time) that is harmed.
Takes about a second a trial. Ends with 1 when anything was found.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from dagy.local import LocalRecords
from dagy.local.events import Event, RunEnded, RunResumed, TaskSucceeded
from dagy.local.journal import first_event, read_events
from dagy.local.layout import LocalPaths
from dagy.results import decode

DAGY = [sys.executable, "-c", "from dagy_cli.main import main; main()"]
MOST_KILLS = 3
A_TASK_S = 0.002
TRIALS_PER_HOME = 15  # fewer than the 20 runs that are kept
FLOW = '''\
"""Notes in a file what starts; says in its body that it begins."""
import os, sys, time
from pathlib import Path
from dagy import flow, task

NOTES = Path(os.environ["NOTES"])

def note(name):
    fd = os.open(NOTES, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(fd, f"{name}\\n".encode())
    os.close(fd)

@task
def part(n, size, pause):
    note(f"part-{n + 1}")
    print("part", n)
    time.sleep(pause)
    return [n, "x" * size]

@task(retries=1)
def shaky(given):
    note("shaky-1")
    print("shaky")
    return given

@task
def joined(parts):
    note(f"joined-{parts[0][0] // 8 + 1}")
    print("joined")
    return sum(n for n, _ in parts)

@task
def total(numbers):
    note("total-1")
    print("total")
    return sum(numbers)

@flow
def work(label: str):
    sys.__stdout__.write("began\\n")
    sys.__stdout__.flush()
    parts = [part(n, 40_000 if n % 8 == 3 else n, 0.01 if n % 8 == 5 else 0) for n in range(24)]
    return total([joined(parts[first:first + 8]) for first in (0, 8)] + [joined(shaky(parts[16:]))])
'''
PARENTS = {
    "joined-1": [f"part-{n}" for n in range(1, 9)],
    "joined-2": [f"part-{n}" for n in range(9, 17)],
    "shaky-1": [f"part-{n}" for n in range(17, 25)],
    "joined-3": ["shaky-1"],
    "total-1": ["joined-1", "joined-2", "joined-3"],
}
TASKS = {*(f"part-{n}" for n in range(1, 25)), *PARENTS}
RESULT = sum(range(24))


@dataclass
class Tally:
    trials: int = 0
    killed: Counter[str] = field(default_factory=Counter)
    kept: int = 0
    run_after: int = 0
    problems: list[str] = field(default_factory=list)


class Home:
    """A home of runs, the flow, and what the flow's processes noted. Each run has a label, its parameter."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.paths = LocalPaths(folder / "home")
        self._folder = folder
        (folder / "flow.py").write_text(FLOW)

    @contextmanager
    def started(self, label: str, *, resume: str | None = None) -> Iterator[subprocess.Popen[str]]:
        what = ["--resume", resume] if resume else [f"{self._folder}/flow.py:work", "--param", f"label={label}"]
        process = subprocess.Popen(
            [*DAGY, "run", *what, "--max-workers", "3"],
            env={**os.environ, "DAGY_LOCAL_DIR": str(self.paths.root), "NOTES": str(self._folder / label)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    def noted(self, label: str) -> Counter[str]:
        notes = self._folder / label
        return Counter(notes.read_text().split()) if notes.exists() else Counter()

    def run_of(self, label: str) -> str | None:
        """Asks the files, and brings nothing into the database."""
        for journal in [*self.paths.journals.glob("*.jsonl"), *self.paths.runs.glob("*/journal.jsonl")]:
            first = first_event(journal)
            if first is not None and first.parameters == {"label": label}:
                return first.run_id
        for metadata in self.paths.runs.glob("*/metadata.json"):
            if json.loads(metadata.read_text())["parameters"] == {"label": label}:
                return metadata.parent.name
        return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=300)
    parser.add_argument("--seed", type=int, default=None)
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.randrange(10**6)
    chance = random.Random(seed)
    print(f"seed {seed}", file=sys.stderr)
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="dagy-kills-") as folder:
        for number in range(options.trials):
            if number % TRIALS_PER_HOME == 0:
                home = Home(Path(folder) / str(number))
                takes_s = whole_run_s(home)
            Trial(number, home, tally).carry_out(chance, takes_s)
            tally.trials += 1
    where = ", ".join(f"{count} {moment}" for moment, count in sorted(tally.killed.items()))
    print(f"{tally.trials} trials, {sum(tally.killed.values())} processes killed ({where}).")
    print(f"{tally.kept:,} finished tasks were kept, {tally.run_after:,} unfinished ones run by a resume.")
    print(f"{len(tally.problems)} problems.")
    sys.exit(bool(tally.problems))


def whole_run_s(home: Home) -> float:
    """From its beginning to the end of its process, undisturbed."""
    with home.started("whole") as process:
        until_it_begins(process)
        began_s = time.monotonic()
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, out + err
        return time.monotonic() - began_s


class Trial:
    """One run, killed up to `MOST_KILLS` times, then finished."""

    def __init__(self, number: int, home: Home, tally: Tally) -> None:
        self._number, self._home, self._tally = number, home, tally
        self._label = f"trial-{number}"

    def carry_out(self, chance: random.Random, takes_s: float) -> None:
        run_id: str | None = None
        for _ in range(chance.randint(1, MOST_KILLS)):
            with self._home.started(self._label, resume=run_id) as process, ExitStack() as beside:
                until_it_begins(process)
                has_bystander = run_id is None and chance.random() < 0.2
                bystander = f"{self._label}-bystander"
                standing = beside.enter_context(self._home.started(bystander)) if has_bystander else None
                if chance.random() < 0.5:
                    time.sleep(chance.uniform(0, takes_s))
                else:
                    self._until_started(chance.randint(1, len(TASKS)), process)
                    time.sleep(chance.uniform(0, A_TASK_S))
                process.send_signal(signal.SIGKILL)
                process.wait()
                run_id = self._home.run_of(self._label)
                if run_id is None:
                    self._tally.killed["before there was anything to record"] += 1
                    continue  # and start it anew
                finished, is_over = self._look(run_id)
                if standing is not None:
                    out, err = standing.communicate(timeout=120)
                    self._expect(
                        standing.returncode == 0, f"the bystander ended with {standing.returncode}: {out}{err}"
                    )
                    self._expect(
                        self._home.noted(bystander) == Counter(TASKS), "the bystander did not run each task once"
                    )
            self._tally.killed["after the run's end was written" if is_over else "while tasks ran"] += 1
            self._tally.kept += len(finished)
            if is_over:
                break
        self._finish(run_id)

    def _until_started(self, more: int, process: subprocess.Popen[str]) -> None:
        """Or until the process has ended."""
        enough = self._home.noted(self._label).total() + more
        while process.poll() is None and self._home.noted(self._label).total() < enough:
            time.sleep(A_TASK_S / 10)

    def _look(self, run_id: str) -> tuple[set[str], bool]:
        """What the next command sees, and whether that is what the journal says: the finished tasks, and whether the
        run is over.
        """
        paths = self._home.paths
        events = read_events(paths.journal(run_id)) or read_events(paths.kept_journal(run_id))
        finished, has_end = finished_in(events)
        notes = self._home.noted(self._label)
        for child, parents in PARENTS.items():
            if notes[child] and events:
                self._expect(set(parents) <= finished, f"{child} started before what it waits for was safe")
        with LocalRecords(paths.root) as records:
            run, tasks = records.get_run(run_id), records.task_runs(run_id)
            self._expect([each.id for each in records.list_runs(limit=None)].count(run_id) == 1, "not listed once")
            self._expect(run.status.is_final, f"shown as {run.status}")
            if events and not has_end:
                self._expect(run.error_type == "Interrupted", f"shown as {run.status} {run.error_type}")
            self._expect(all(each.status.is_final for each in tasks), "a task has no end")
            seen = {each.id for each in tasks if each.status == "SUCCEEDED"}
            self._expect(not events or seen == finished, f"of {len(finished)} finished tasks {len(seen)} are told")
            for id in seen:
                stored = records.stored_result(run_id, id)
                self._expect(stored is not None and decode(stored) is not None, f"the result of {id} is lost")
        return seen, run.status == "SUCCEEDED"

    def _finish(self, run_id: str | None) -> None:
        """And see that only what was not finished ran, and that all is there in the end."""
        home, finished = self._home, set[str]()
        if run_id is not None:
            with LocalRecords(home.paths.root) as records:
                finished = {each.id for each in records.task_runs(run_id) if each.status == "SUCCEEDED"}
        before = home.noted(self._label)
        if run_id is None or finished != TASKS or self._is_unfinished(run_id):
            with home.started(self._label, resume=run_id) as process:
                out, err = process.communicate(timeout=120)
                self._expect(process.returncode == 0, f"the last one ended with {process.returncode}: {out}{err}")
        run_id = home.run_of(self._label)
        assert run_id is not None
        ran = home.noted(self._label) - before
        self._expect(ran == Counter(TASKS - finished), f"with {len(finished)} finished, these ran: {ran}")
        self._tally.run_after += sum(ran.values())
        with LocalRecords(home.paths.root) as records:
            run, stored = records.get_run(run_id), records.stored_result(run_id)
            self._expect(run.status == "SUCCEEDED", f"ended as {run.status}: {run.message}")
            self._expect(stored is not None and decode(stored) == RESULT, "the result is another")
            self._expect([each.id for each in records.list_runs(limit=None)].count(run_id) == 1, "not listed once")
            self._expect(run.task_counts == {"SUCCEEDED": len(TASKS)}, f"tasks: {run.task_counts}")
            for id in TASKS:
                log = records.log_path(run_id, id)
                self._expect(
                    log.exists() and f" {id.partition('-')[0]}" in log.read_text(), f"the log of {id} lacks its line"
                )
        self._expect(not list(home.paths.journals.glob("*")), "a journal was left")

    def _is_unfinished(self, run_id: str) -> bool:
        with LocalRecords(self._home.paths.root) as records:
            return records.get_run(run_id).status != "SUCCEEDED"

    def _expect(self, is_right: bool, problem: str) -> None:
        if not is_right:
            self._tally.problems.append(f"{self._label}: {problem}")
            print(self._tally.problems[-1], file=sys.stderr)


def finished_in(events: list[Event]) -> tuple[set[str], bool]:
    """The tasks that have succeeded, and whether the journal has an end."""
    finished: set[str] = set()
    has_end = False
    for event in events:
        if isinstance(event, RunResumed):
            finished, has_end = finished & set(event.kept), False
        elif isinstance(event, TaskSucceeded):
            finished.add(event.id)
        elif isinstance(event, RunEnded):
            has_end = True
    return finished, has_end


def until_it_begins(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if line == "began\n":
            return
    raise AssertionError(f"it ended before it began: {process.stderr and process.stderr.read()}")


if __name__ == "__main__":
    main()
