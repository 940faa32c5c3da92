"""A stored key is for one host, whatever the environment of the moment says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest


def test_a_key_is_not_sent_where_dagy_api_url_points_instead(
    dagy: Any, stage: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = stage.url.replace("127.0.0.1", "localhost")  # the same server, under a name the key is not for
    monkeypatch.setenv("DAGY_API_URL", elsewhere)

    said = dagy("flows", "list", expect=3)

    assert f"The API key of profile 'dev' is for {stage.url}, so it is not sent to {elsewhere}" in said.stderr
    assert "unset DAGY_API_URL" in said.stderr
    assert stage.asked == []
    monkeypatch.setenv("DAGY_API_KEY", stage.key())
    dagy("flows", "list")


def test_a_key_made_elsewhere_is_kept_for_where_it_was_made(
    dagy: Any, stage: Any, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = stage.url.replace("127.0.0.1", "localhost")
    monkeypatch.setenv("DAGY_API_URL", elsewhere)
    monkeypatch.setenv("DAGY_API_KEY", stage.key())

    dagy("keys", "create", "--save-profile")

    assert json.loads((home / "credentials").read_text())["profiles"]["dev"]["origin"] == elsewhere
    monkeypatch.delenv("DAGY_API_KEY")
    dagy("flows", "list")
    monkeypatch.delenv("DAGY_API_URL")
    dagy("flows", "list", expect=3)
