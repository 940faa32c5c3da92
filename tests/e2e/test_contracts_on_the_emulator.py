"""What the ports promise, asked of the AWS adapters with the emulator behind them: it errs elsewhere than moto does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [
    pytest.mark.local_cloud,
    # The adapters talk to services, not to the stage: once is enough.
    pytest.mark.parametrize("cloud", [pytest.param(False, id="open")], indirect=True),
]

ROOT = Path(__file__).parents[2]
FEWEST = 300


def test_every_contract_is_kept_on_the_emulator(cloud: Any) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "tests/contracts", "-q", "-k", "emulator", "-p", "no:cacheprovider"],
        cwd=ROOT,
        env={**os.environ, "DAGY_CONTRACT_ENDPOINT": cloud.status().endpoint_url},
        capture_output=True,
        text=True,
        timeout=150,
    )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr
    assert int(done.stdout.splitlines()[-1].split()[0]) >= FEWEST, done.stdout
