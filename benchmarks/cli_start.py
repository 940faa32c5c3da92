"""How long the command line takes to start, against `python -c pass` and the command lines of others, and how long
`dagy runs list` takes when much has run.

    .venv/bin/python benchmarks/cli_start.py [--rounds 21] [--write]

Metaflow, Chalice and Prefect each have an environment of their own, made once (environments.py), with bytecode as pip
leaves it. Everything is started in turn, round after round, so that whatever else the machine does disturbs all alike;
medians are shown.
`--write` puts the figures into docs/performance.md. Takes about three minutes once the environments are there.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from environments import python_of, variables

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
PAGE = ROOT / "docs" / "performance.md"
OTHERS = ("metaflow", "chalice", "prefect")
WITHOUT = ("metaflow --version",)  # it has no such option: there its --help counts
START, END = "<!-- cli_start: begin -->", "<!-- cli_start: end -->"
FEW, MANY = 10, 10_000


@dataclass(frozen=True)
class Figures:
    """Medians in seconds."""

    seconds: dict[str, float]
    rounds: int

    def ratio(self, of: str, to: str) -> float:
        return self.seconds[of] / self.seconds[to]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=21)
    arguments.add_argument("--write", action="store_true", help="put the figures into docs/performance.md")
    arguments.add_argument("--install-only", action="store_true", help="only make the environments")
    cache = Path(tempfile.gettempdir()) / "dagy-benchmark-environments"
    arguments.add_argument("--cache", type=Path, default=cache, help="where the environments are")
    options = arguments.parse_args()

    others = {name: python_of(name, options.cache).with_name(name) for name in OTHERS}
    if options.install_only:
        return
    commands = {"python -c pass": [sys.executable, "-c", "pass"]}
    for words in ("--version", "--help"):
        commands[f"dagy {words}"] = [str(BIN / "dagy"), words]
        commands |= {
            f"{name} {words}": [str(program), words]
            for name, program in others.items()
            if f"{name} {words}" not in WITHOUT
        }
    with tempfile.TemporaryDirectory() as folder:
        homes = {count: recorded(Path(folder) / str(count), count) for count in (FEW, MANY)}
        environ = {**variables(Path(folder)), "NO_COLOR": "1"}
        started = medians(commands, environ, rounds=options.rounds)
        lists = {
            f"dagy runs list, {count:,} runs": (
                [str(BIN / "dagy"), "runs", "list"],
                {**environ, "DAGY_LOCAL_DIR": str(home)},
            )
            for count, home in homes.items()
        }
        listed = medians_each(lists, rounds=options.rounds)
    figures = Figures({**started, **listed}, options.rounds)
    text = page(figures)
    print(text)
    if options.write:
        write(text)
    missed = [goal for goal, is_met in goals(figures).items() if not is_met]
    if missed:
        sys.exit(f"missed: {'; '.join(missed)}")


def recorded(home: Path, count: int) -> Path:
    """A folder of local records with so many runs in it, as `dagy run` would have left them."""
    from dagy.core.states import Status
    from dagy.core.timestamps import to_iso
    from dagy.local.history import LocalRun, LocalTaskRun, RunHistory
    from dagy.local.layout import LocalPaths
    from dagy.local.opening import opened

    histories = []
    for n in range(count):
        at = to_iso(1_767_225_600 + 60 * n)
        id = f"etl-2026-{n:08d}"
        run = LocalRun(
            id, "etl", "latest", Status.SUCCEEDED, at, {"n": n}, True, 1, {"SUCCEEDED": 3}, ended_at=at, duration_s=0.5
        )
        tasks = tuple(
            LocalTaskRun(id, f"t-{i}", "t", i, (), Status.SUCCEEDED, 1, started_at=at, ended_at=at, duration_s=0.1)
            for i in range(3)
        )
        histories.append(RunHistory(run, tasks))
    paths = LocalPaths(home)
    with opened(paths) as database:
        for start in range(0, count, 1000):
            database.save(histories[start : start + 1000])
    for history in histories:
        (paths.runs / history.run.id).mkdir(parents=True)
    return home


def medians(commands: Mapping[str, Sequence[str]], environ: Mapping[str, str], *, rounds: int) -> dict[str, float]:
    return medians_each({name: (command, environ) for name, command in commands.items()}, rounds=rounds)


def medians_each(commands: Mapping[str, tuple[Sequence[str], Mapping[str, str]]], *, rounds: int) -> dict[str, float]:
    """Each once without counting, then all of them in turn, again and again."""
    times: dict[str, list[float]] = {name: [] for name in commands}
    for round in range(rounds + 1):
        for name, (command, environ) in commands.items():
            began = time.perf_counter()
            done = subprocess.run(command, env=environ, capture_output=True, check=False)
            if done.returncode:
                sys.exit(f"{name} failed: {done.stderr.decode()[-500:]}")
            if round:
                times[name].append(time.perf_counter() - began)
    return {name: statistics.median(found) for name, found in times.items()}


def goals(figures: Figures) -> dict[str, bool]:
    met = {}
    for words in ("--version", "--help"):
        fastest = min(figures.seconds.get(f"{name} {words}", figures.seconds[f"{name} --help"]) for name in OTHERS)
        met[f"dagy {words} at most 8 times python -c pass"] = figures.ratio(f"dagy {words}", "python -c pass") <= 8
        met[f"dagy {words} at least 5 times faster than the fastest other"] = (
            fastest / figures.seconds[f"dagy {words}"] >= 5
        )
    few, many = (f"dagy runs list, {count:,} runs" for count in (FEW, MANY))
    met[f"dagy runs list over {MANY:,} runs under twice its time over {FEW}"] = figures.ratio(many, few) < 2
    return met


def page(figures: Figures) -> str:
    lines = [
        START,
        f"{os.cpu_count()} cores, Python {platform.python_version()}; medians of {figures.rounds} rounds, everything "
        "started in turn:",
        "`python benchmarks/cli_start.py --write`.",
        "",
        "| command | time | of `python -c pass` |",
        "|---|---|---|",
        *(
            f"| `{name}` | {seconds * 1000:.0f} ms | {figures.ratio(name, 'python -c pass'):.1f} |"
            for name, seconds in figures.seconds.items()
        ),
        "",
        *(f"- {goal}: {'yes' if is_met else '**no**'}" for goal, is_met in goals(figures).items()),
        END,
    ]
    return "\n".join(lines)


def write(text: str) -> None:
    before = PAGE.read_text(encoding="utf-8")
    if START not in before:
        before = f"{before.rstrip()}\n\n## How fast the command line starts\n\n{START}\n{END}\n"
    PAGE.write_text(re.sub(f"{START}.*{END}", lambda _: text, before, flags=re.DOTALL), encoding="utf-8")


if __name__ == "__main__":
    main()
