"""How many faults the task-isolated engine has survived: many stories of the simulation, counted.

    .venv/bin/python benchmarks/faults.py 0:25000 [--json FILE]      stories of these seeds
    .venv/bin/python benchmarks/faults.py --planted                  after how many seeds each planted bug is caught
    .venv/bin/python benchmarks/faults.py --sum FILE…                the figures of several pieces together

One process, about 140 stories a second. A story is at most twelve tasks; `tests/simulation/` says what may go wrong in
it and what must hold.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections import Counter
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / "tests")]

from simulation.planted import PLANTED, PLANTED_IN_SUBMISSIONS, seeds_until_caught  # noqa: E402
from simulation.stories import Telling, story_of, violations  # noqa: E402
from simulation.submissions import wrong_submissions  # noqa: E402

KINDS = {
    "crash": "the function's process dies, before or after an operation",
    "unavailable": "an operation is refused: throttled, or no connection",
    "reply_lost": "an operation happens, and the caller is told that it is unknown",
    "repeated": "an operation happens twice, because the AWS library asked again",
    "outage": "an operation while nothing is to be had for 5 seconds to 3 minutes",
    "lose": "a message is lost for good",
    "duplicate": "a message comes twice, or ten times",
    "delay": "a message comes up to two minutes late, after later ones",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("seeds", nargs="?", help="first:last, the last not included")
    parser.add_argument("--planted", action="store_true")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--sum", nargs="*", type=Path, default=[])
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    if options.planted:
        print_planted()
        return
    if options.sum:
        print_counts(sum((Counter(json.loads(path.read_text())) for path in options.sum), Counter()))
        return
    counts = told(*map(int, options.seeds.split(":")))
    if options.json:
        options.json.write_text(json.dumps(counts))
    print_counts(counts)


def told(first: int, last: int) -> Counter[str]:
    counts: Counter[str] = Counter()
    for seed in range(first, last):
        telling = Telling(seed, story_of(seed))
        found = telling.violations()
        counts.update(telling.kernel.hit)
        counts["retried"] += len(telling.generations) - 1
        counts["executions"] += telling.story.executor is not None
        counts["skewed"] += telling.story.faults.skew_s > 0
        counts.update(stories=1, operations=telling.kernel.operations, starts=len(telling.workshop.started))
        counts.update(given_up=telling.kernel.given_up, cancelled=telling.cancelled_at is not None)
        if found:
            counts["violated"] += 1
            print(f"DAGY_SIMULATION_ONLY={seed} pytest tests/simulation -k right_end  # {found[0]}", flush=True)
    return counts


def print_counts(counts: Counter[str]) -> None:
    print(
        f"{counts['stories']:,} stories, {counts['operations']:,} operations, {counts['starts']:,} starts of user "
        f"code, {counts['cancelled']:,} cancels, {counts['retried']:,} runs retried, {counts['executions']:,} stories "
        f"with tasks as executions, {counts['skewed']:,} with clocks off by up to 3 s, "
        f"{counts['given_up']:,} messages given up by AWS: {counts['violated']:,} violations\n"
    )
    print("| fault | times |\n|---|---|")
    for kind, what in KINDS.items():
        print(f"| {what} | {counts[kind]:,} |")


def print_planted() -> None:
    print("| planted bug | caught by seed number |\n|---|---|")
    for tell, bugs in ((violations, PLANTED), (wrong_submissions, PLANTED_IN_SUBMISSIONS)):
        for bug, how in bugs.items():
            print(f"| {bug} | {seeds_until_caught(tell, how)} |", flush=True)


if __name__ == "__main__":
    main()
