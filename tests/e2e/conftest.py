"""The local cloud, once without and once with IAM enforcement, and the `dagy` command pointed at it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from dagy_infra.local_cloud import LocalCloud

ROOT = Path(__file__).parents[2]
DAGY = Path(sys.executable).parent / "dagy"


class CloudByCloud(LoadScopeScheduling):
    """With `-n 2` the two clouds stand side by side: a worker makes one of them, and gets all its tests."""

    def _split_scope(self, nodeid: str) -> str:
        clouds = [cloud for cloud in ("open", "iam-enforced") if re.search(rf"\[{cloud}[]-]", nodeid)]
        return clouds[0] if clouds else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> CloudByCloud:
    return CloudByCloud(config, log)


@dataclass(frozen=True)
class Said:
    """What a command answered."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        return json.loads(self.stdout)


@dataclass(frozen=True)
class Dagy:
    """The command line, as a person on this machine has it: one folder of local state, one profile."""

    home: Path
    cwd: Path
    profile: str = "local"

    def __call__(self, *words: str, expect: int | tuple[int, ...] = 0, env: dict[str, str] | None = None) -> Said:
        done = subprocess.run(
            [DAGY, *words],
            cwd=self.cwd,
            env=self.environ(env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=150,
        )
        said = Said(done.returncode, done.stdout, done.stderr)
        expected = (expect,) if isinstance(expect, int) else expect
        assert said.code in expected, f"dagy {' '.join(words)}: exit {said.code}\n{said.stdout}\n{said.stderr}"
        return said

    def environ(self, env: dict[str, str] | None = None) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("DAGY_", "AWS_"))}
        return {**kept, "DAGY_LOCAL_DIR": str(self.home), "DAGY_PROFILE": self.profile, "NO_COLOR": "1", **(env or {})}

    def run_remote(self, deployment: str, *words: str) -> dict[str, Any]:
        """Run it there, wait for the end, and return the run as `runs show` gives it."""
        said = self("run", deployment, "--remote", "--wait", *words, "--json", expect=(0, 8))
        return self.show(said.json["run_id"])

    def show(self, run_id: str) -> dict[str, Any]:
        run: dict[str, Any] = self("runs", "show", run_id, "--remote", "--json").json
        return run

    def wait_for_end(self, run_id: str) -> dict[str, Any]:
        def ended() -> dict[str, Any] | None:
            run = self.show(run_id)
            return run if run["status"] in ("SUCCEEDED", "FAILED", "CANCELLED") else None

        ended_run: dict[str, Any] = self.eventually(ended, within_s=90)
        return ended_run

    def eventually(self, question: Callable[[], Any], *, within_s: float) -> Any:
        """The first true answer. Asks again and again, because nothing on the other side can wake us."""
        pause = threading.Event()
        deadline = time.monotonic() + within_s
        while not (answer := question()):
            if time.monotonic() > deadline:
                pytest.fail(f"nothing came within {within_s:g} s")
            pause.wait(0.3)
        return answer


@pytest.fixture(scope="session", params=[pytest.param(False, id="open"), pytest.param(True, id="iam-enforced")])
def cloud(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """A stage `local`, provisioned by the same `cdk bootstrap` and `cdk deploy` that users run."""
    cloud = LocalCloud(tmp_path_factory.mktemp("cloud"), port=None, enforce_iam=request.param)
    try:
        cloud.start()
        yield cloud
    finally:
        cloud.stop()


@pytest.fixture(scope="session")
def dagy(cloud: LocalCloud) -> Dagy:
    """The command, with one deployment that a schedule has begun to run."""
    dagy = Dagy(home=cloud.home, cwd=ROOT)
    dagy(
        *("deploy", "examples/clickstream/flow.py:sessions_by_country", "--deployment", "every-minute"),
        *("--execution-mode", "small", "--schedule", "*/1 * * * *", "--timezone", "Europe/Athens"),
    )
    return dagy


@pytest.fixture
def project(tmp_path: Path) -> Callable[[str], Path]:
    """Write a flow file into an empty project folder."""

    def write(source: str, name: str = "flow.py") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(source))
        return path

    return write
