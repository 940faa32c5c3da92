"""What Dagy needs of this machine: Python, a folder, its database, time zones, and a shell that completes."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

from dagy.local.layout import LocalPaths
from dagy.local.paths import local_dir
from dagy.version import VERSION
from dagy_cli.amounts import count_text
from dagy_cli.doctor.finding import Finding, Outcome
from dagy_cli.shells import Place, Standing, current_shell

OLDEST_PYTHON: Final = (3, 10)
LITTLE_SPACE_BYTES: Final = 200 * 1024 * 1024


def python() -> list[Finding]:
    detail = f"{platform.python_version()} at {sys.executable}, dagy {VERSION}"
    if sys.version_info < OLDEST_PYTHON:  # somebody got round the installer
        return [Finding("python", Outcome.FAILED, detail, "install Python 3.10 or later, then: pip install dagy")]
    return [Finding("python", Outcome.OK, detail)]


def local_state() -> list[Finding]:
    """That files can be made where they have to be. The folder itself is not made."""
    folder = local_dir().absolute()
    there = next(path for path in (folder, *folder.parents) if path.exists())
    try:
        with tempfile.NamedTemporaryFile(dir=there, prefix=".dagy-doctor-"):
            pass
    except OSError as error:
        mend = "export DAGY_LOCAL_DIR=<a folder that you may write to>"
        return [Finding("local folder", Outcome.FAILED, f"{folder}: {error.strerror}", mend)]
    free_bytes = shutil.disk_usage(there).free
    if free_bytes < LITTLE_SPACE_BYTES:
        detail = f"{folder}: only {free_bytes // 1024**2} MiB are free"
        return [Finding("local folder", Outcome.WARNING, detail, "dagy clean --older-than 7d")]
    return [Finding("local folder", Outcome.OK, f"{folder}, writable")]


def duckdb() -> list[Finding]:
    """That it opens what is there, without writing to it."""
    import duckdb as engine  # heavy

    path = LocalPaths(local_dir().absolute()).database
    version = f"DuckDB {engine.__version__}"
    if not path.exists():
        return [Finding("records", Outcome.OK, f"{version}, no records yet")]
    try:
        with engine.connect(str(path), read_only=True) as connection:
            row = connection.execute("SELECT count(*) FROM runs").fetchone()
    except engine.Error as error:
        said = str(error).partition("\n")[0]
        if "lock" in said.lower():
            return [Finding("records", Outcome.WARNING, f"{path} is held by another process just now", "dagy doctor")]
        # Whoever reads records sets a damaged file aside and makes a new one from the runs' own files.
        return [Finding("records", Outcome.FAILED, f"{path} cannot be read: {said}", "dagy runs list")]
    return [Finding("records", Outcome.OK, f"{version}, {count_text(row[0] if row else 0, 'run')} in {path}")]


def time_zones() -> list[Finding]:
    from importlib import metadata
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        ZoneInfo("America/New_York")
        detail = f"tzdata {metadata.version('tzdata')}"
    except (ZoneInfoNotFoundError, metadata.PackageNotFoundError) as error:
        return [Finding("time zones", Outcome.FAILED, f"not all are there: {error}", "pip install --upgrade tzdata")]
    return [Finding("time zones", Outcome.OK, detail)]


def completion() -> list[Finding]:
    shell = current_shell()
    if shell is None:
        name = Path(os.environ.get("SHELL", "")).name or "an unknown shell"
        return [Finding("completion", Outcome.SKIPPED, f"none for {name}")]
    standing = Place.of(shell).standing()
    if standing is Standing.INSTALLED:
        return [Finding("completion", Outcome.OK, f"installed for {shell}")]
    detail = f"not installed for {shell}" if standing is Standing.MISSING else f"out of date for {shell}"
    return [Finding("completion", Outcome.WARNING, detail, f"dagy completion {shell} --install")]
