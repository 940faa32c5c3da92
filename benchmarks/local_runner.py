"""What a recorded task costs on a laptop, beside other systems: `python benchmarks/local_runner.py [--only dagy,dask]`.

Every measurement is a process of its own with a home of its own; systems take turns in every round, and the medians
are shown. Counted is the run alone, from calling it to having its answer, after a warm-up of ten tasks: for Dagy
that is tracing, running, results, logs, journal, the files of every task, the database. Imports and servers are not
counted. What each system does is in `peers/on_<system>.py`. Environments for them are made with uv, once: some 300 MB.

Homes are removed at the end, not in between: ext4 makes files slowly for some minutes after many were removed.
With `--keep`, measurements are added to a file, and those that are in it count: rounds can be made piece by piece.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from environments import python_of, variables
from local_report import Figures, Measurement, Shape, System, goals, goals_table, picture, table, with_section

PEERS = Path(__file__).parent / "peers"
DOCS = Path(__file__).parents[1] / "docs"
LONGEST_S = 900

SHAPES = (
    Shape("fan-1000", "1,000 fanned out and summed, 4 workers", "fan", 1_000, 4),
    Shape("chain-500", "chain of 500", "chain", 500, 4),
    Shape("fan-10000", "10,000 fanned out, 4 workers", "fan", 10_000, 4),
    Shape("waiting-100", "100 of 10 ms, 8 workers", "waiting", 100, 8),
)
SYSTEMS = (
    System("threads", "a thread pool", "nothing", {}),
    System("dagy", "Dagy", "results, logs, times, database", {}),
    System("dask", "dask.delayed", "nothing", {}),
    System("dbos", "DBOS, SQLite", "results, times", {"fan-10000": 3_000}),
    System("luigi", "Luigi", "results", {"fan-10000": 3_000}),
    System(
        "redun",
        "redun, SQLite",
        "results, times, arguments",
        {"fan-1000": 300, "chain-500": 100, "fan-10000": 1_000},  # a chain of 200 is too deep for its pickling
    ),
    System("prefect", "Prefect", "states, logs", {"fan-1000": 300, "chain-500": 200, "fan-10000": 1_000}),
    System(
        "dagster",
        "Dagster, in process",
        "results, events",
        {"fan-1000": 50, "chain-500": 50, "fan-10000": 100, "waiting-100": 20},
    ),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", help="systems, separated by commas")
    parser.add_argument("--shapes", help="shapes, separated by commas")
    parser.add_argument("--in", dest="places", type=Path, action="append", help="where homes are made; repeatable")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "dagy-benchmark-environments")
    parser.add_argument("--keep", type=Path, help="a file of measurements: read, and added to")
    parser.add_argument("--tasks-at-most", type=int, default=10_000, help="to try it out")
    parser.add_argument("--write", type=Path, nargs="?", const=DOCS, help="the table and the picture into these docs")
    options = parser.parse_args()
    systems = [system for system in SYSTEMS if options.only is None or system.name in options.only.split(",")]
    shapes = [shape for shape in SHAPES if options.shapes is None or shape.name in options.shapes.split(",")]
    pythons = {system.name: python_of(system.name, options.cache) for system in systems}
    measurements = kept(options.keep)
    homes: list[Path] = []
    try:
        for _ in range(options.rounds):
            for place in options.places or [Path(tempfile.gettempdir())]:
                for shape in shapes:
                    turn = rounds(measurements, file_system_of(place), shape) % len(systems)
                    for system in (*systems[turn:], *systems[:turn]):
                        home = Path(tempfile.mkdtemp(prefix="dagy-benchmark-", dir=place))
                        homes.append(home)
                        tasks = min(system.tasks.get(shape.name, shape.tasks), options.tasks_at_most)
                        made = measured(system, shape, tasks, pythons[system.name], home)
                        keep(made, options.keep)
                        measurements.append(made)
    finally:
        for home in homes:
            shutil.rmtree(home, ignore_errors=True)
    told(measurements, options.write)


def measured(system: System, shape: Shape, tasks: int, python: Path, home: Path) -> Measurement:
    """In a process of its own; whatever it started is ended with it."""
    process = subprocess.Popen(
        [python, PEERS / f"on_{system.name}.py", shape.kind, str(tasks), str(shape.workers), home],
        env=variables(home),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        out, err = process.communicate(timeout=LONGEST_S)
    finally:
        with_group_ended(process)
    if process.returncode != 0:
        raise SystemExit(f"{system.title}, {shape.title}: ended with {process.returncode}\n{err[-4000:]}")
    figures = json.loads(out.splitlines()[-1])
    made = Measurement(file_system_of(home), system.name, shape.name, tasks, **figures)
    print(f"{made.place:8} {shape.name:12} {system.name:8} {made.ms_per_task:9.3f} ms per task", file=sys.stderr)
    return made


def with_group_ended(process: subprocess.Popen[str]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def file_system_of(folder: Path) -> str:
    found = subprocess.run(["df", "--output=fstype", str(folder)], capture_output=True, text=True, check=False)
    return found.stdout.split()[-1] if found.returncode == 0 else "disk"


def kept(file: Path | None) -> list[Measurement]:
    if file is None or not file.exists():
        return []
    return [Measurement(**json.loads(line)) for line in file.read_text().splitlines()]


def keep(made: Measurement, file: Path | None) -> None:
    if file is not None:
        with file.open("a") as lines:
            lines.write(json.dumps(asdict(made)) + "\n")


def told(measurements: Sequence[Measurement], docs: Path | None) -> None:
    places = list(dict.fromkeys(each.place for each in measurements))
    figures = {place: Figures([each for each in measurements if each.place == place]) for place in places}
    fewest = min(rounds(measurements, place, shape) for place in places for shape in SHAPES)
    blocks = [f"{machine()}. Medians of {fewest} rounds."]
    for place in places:
        blocks.append(f"Files on {place}:\n\n{table(figures[place], SYSTEMS, SHAPES)}")
    import_ms = import_cost_ms()
    blocks.append(goals_table({place: goals(figures[place], import_ms=import_ms) for place in places}))
    section = "\n\n".join(blocks)
    print(section)
    if docs is not None:
        page = docs / "performance.md"
        page.write_text(
            with_section(
                page.read_text(), f"{section}\n\n![The first column of the first table as bars](performance-local.svg)"
            )
        )
        (docs / "performance-local.svg").write_text(picture(figures[places[0]], SYSTEMS, SHAPES[0], places[0]))


def rounds(measurements: Sequence[Measurement], place: str, shape: Shape) -> int:
    """How many there were: a system is measured once in each."""
    return max(
        Counter(each.system for each in measurements if (each.place, each.shape) == (place, shape.name)).values(),
        default=0,
    )


def machine() -> str:
    return f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()} {platform.machine()}"


def import_cost_ms(times: int = 11) -> float:
    """Above an empty interpreter, with bytecode there. Medians, taking turns."""
    with tempfile.TemporaryDirectory() as bytecode:
        environ = {**os.environ, "PYTHONPYCACHEPREFIX": bytecode, "PYTHONDONTWRITEBYTECODE": ""}

        def took_s(code: str) -> float:
            began_s = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], env=environ, check=True)
            return time.perf_counter() - began_s

        took_s("import dagy")
        pairs = [(took_s("import dagy"), took_s("pass")) for _ in range(times)]
    return (statistics.median(each for each, _ in pairs) - statistics.median(each for _, each in pairs)) * 1e3


if __name__ == "__main__":
    main()
