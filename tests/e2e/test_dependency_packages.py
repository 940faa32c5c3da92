"""Flows with third-party modules on the local cloud: a package is built, attached, and fetched once."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from dagy.client.http import connect
from dagy.config import resolve_profile

pytestmark = pytest.mark.local_cloud

SKLEARN = """
from dagy import flow, task


try:  # it need not be installed where the flow is built
    import numpy as np
    from sklearn.linear_model import LinearRegression
except ImportError:
    LinearRegression = None


@task
def fit() -> float:
    x = np.arange(20.0).reshape(-1, 1)
    return round(float(LinearRegression().fit(x, 3 * x[:, 0] + 1).predict([[100.0]])[0]), 6)


@flow
def regression():
    return fit()
"""


def fetched(run: dict[str, Any]) -> list[str]:
    """The packages that a run's function had to fetch."""
    events = connect(resolve_profile("local")).list_events(run["run_id"]).items
    return [slug for event in events if event.type == "packages_fetched" for slug in event.data["slugs"]]


def test_a_pandas_flow_runs_with_its_package_which_is_fetched_once(dagy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGY_LOCAL_DIR", str(dagy.home))
    created = dagy("packages", "create", "examples/sales/requirements.txt", "--json").json
    slug = created["slug"]
    assert {"numpy", "pandas"} <= set(created["distributions"])
    assert created["bytecode"] == sys.implementation.cache_tag  # the local cloud is of this very Python
    target = ("deploy", "examples/sales/flow.py:weekly_sales", "--execution-mode", "micro")
    assert "pandas" in dagy(*target).stderr
    assert "pandas" not in dagy(*target, "--dep-packages", slug).stderr.partition("Checked")[2].partition("Changed")[0]

    runs = [dagy.run_remote("weekly_sales") for _ in range(2)]

    assert [run["status"] for run in runs] == ["SUCCEEDED", "SUCCEEDED"], runs[0].get("error")
    assert list(runs[0]["result"]) == ["2026-W09", "2026-W10", "2026-W11"]
    assert [fetched(run) for run in runs] == [[slug], []]
    assert "weekly_sales" in dagy("packages", "delete", slug, "--yes", expect=6).stderr
    dagy("deploy", "examples/sales/flow.py:weekly_sales", "--no-dep-packages")
    assert dagy.run_remote("weekly_sales")["error"]["error_type"] == "ModuleNotFoundError"
    dagy("packages", "delete", slug, "--yes")


@pytest.mark.skipif(not os.environ.get("DAGY_DEEP_TESTS"), reason="60 MB more: .ci/run asks for it")
def test_a_scikit_learn_flow_runs_with_its_package(dagy: Any, project: Any, tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("scikit-learn\n")
    slug = dagy("packages", "create", f"{tmp_path / 'requirements.txt'}", "--name", "learn", "--json").json["slug"]
    dagy("deploy", f"{project(SKLEARN)}:regression", "--dep-packages", slug, "--execution-mode", "small")
    run = dagy.run_remote("regression")
    assert (run["status"], run["result"]) == ("SUCCEEDED", 301.0), run.get("error")
