"""docs/api.md says what the table of routes says."""

from __future__ import annotations

import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_page_of_routes_is_up_to_date() -> None:
    page = runpy.run_path(str(ROOT / "tools" / "api_reference.py"))["page"]()

    assert (ROOT / "docs" / "api.md").read_text(encoding="utf-8") == page, "run: python tools/api_reference.py"


def test_the_openapi_document_is_up_to_date() -> None:
    described = runpy.run_path(str(ROOT / "tools" / "api_reference.py"))["openapi"]()

    assert (ROOT / "docs" / "openapi.json").read_text(encoding="utf-8") == described, (
        "run: python tools/api_reference.py"
    )
