"""A few of the trials of `benchmarks/kill_trials.py`; `DAGY_KILL_TRIALS` says how many."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

TRIALS = Path(__file__).parents[2] / "benchmarks" / "kill_trials.py"


def test_runs_killed_by_chance_and_resumed_lose_and_repeat_nothing() -> None:
    count = os.environ.get("DAGY_KILL_TRIALS", "8")
    done = subprocess.run(
        [sys.executable, str(TRIALS), "--trials", count], capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{count} trials" in done.stdout
    assert "0 problems" in done.stdout
