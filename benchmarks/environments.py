"""An environment of its own for each system that is compared with, made once by uv, at exactly these versions.

Made anew when a version here changes. None of them may call home: the switches are what their documentation names.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

REQUIREMENTS = {
    "dask": "dask==2026.8.0",
    "dbos": "dbos==3.4.0",
    "luigi": "luigi==3.8.1",
    "redun": "redun==0.44.1",
    "prefect": "prefect==3.9.1",
    "dagster": "dagster==1.13.29",
    "metaflow": "metaflow==2.19.39",
    "chalice": "chalice==1.34.0",
}

_SWITCHES = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "true",  # the server it starts by itself
    "METAFLOW_DEFAULT_MONITOR": "nullSidecarMonitor",
    "METAFLOW_DEFAULT_EVENT_LOGGER": "nullSidecarLogger",
    "DAGSTER_DISABLE_TELEMETRY": "yes",
}


def python_of(system: str, cache: Path) -> Path:
    """The interpreter that has `system`; this one for what needs no package. Downloads when there is none yet."""
    requirement = REQUIREMENTS.get(system)
    if requirement is None:
        return Path(sys.executable)
    home = cache / requirement
    python = home / "bin" / "python"
    done = home / "complete"
    if not done.exists():
        print(f"making an environment for {requirement} in {home}", file=sys.stderr)
        _uv("venv", "--clear", "--python", sys.executable, str(home))
        _uv("pip", "install", "--compile-bytecode", "--python", str(python), requirement)
        done.touch()
    return python


def variables(folder: Path) -> Mapping[str, str]:
    """For a process whose home is `folder`. It sees nothing of the user's settings."""
    own = {"HOME": str(folder), "TMPDIR": str(folder), "PREFECT_HOME": f"{folder}/prefect", "DAGSTER_HOME": str(folder)}
    return {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **own, **_SWITCHES}


def _uv(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "uv", "--quiet", *words], check=True)
