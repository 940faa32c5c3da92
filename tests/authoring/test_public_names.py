"""What `import dagy` offers, and what it costs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import dagy

REFERENCE = set(
    re.findall(
        r"\w+",
        """
        task flow Task Flow TaskOutput FlowSpec TaskSpec TaskRunSpec RunContext State running completed failed Hook
        build_artifact deploy_artifact DagyClient LocalArtifact DagyError APIError ParameterTypeError
        RetryConfigurationError LocalExecutionError DependencyCycleError TaskFailedError ArtifactSerializationError
        TaskTimeoutError __version__
        """,
    )
)
HEAVY = ["boto3", "botocore", "duckdb", "yaml", "tabulate", "msgspec", "click", "fastjsonschema", "pydantic", "pandas"]


def modules_after(statement: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{statement}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return set(json.loads(done.stdout))


@pytest.mark.parametrize(
    "statement, heavy",
    [
        pytest.param("import dagy", HEAVY, id="import dagy"),
        pytest.param("from dagy import task, flow", [name for name in HEAVY if name != "msgspec"], id="task and flow"),
        pytest.param("import dagy.artifact", ["boto3", "duckdb", "yaml", "importlib.metadata"], id="reading artifacts"),
    ],
)
def test_importing_loads_nothing_heavy(statement: str, heavy: list[str]) -> None:
    assert modules_after(statement).isdisjoint(heavy)


def test_the_reference_is_covered() -> None:
    assert set(dagy.__all__) >= REFERENCE


@pytest.mark.parametrize("name", dagy.__all__)
def test_every_public_name_leads_somewhere(name: str) -> None:
    assert getattr(dagy, name) is getattr(dagy, name)
    assert name in dir(dagy)


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'tsak'"):
        dagy.tsak  # type: ignore[attr-defined]  # noqa: B018


def test_the_version_is_the_projects() -> None:
    project = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")

    assert f'version = "{dagy.__version__}"' in project
