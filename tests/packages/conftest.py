"""A folder that stands for a package index."""

from __future__ import annotations

from pathlib import Path

import pytest
from wheel_index import WheelIndex


@pytest.fixture
def wheel(tmp_path: Path) -> WheelIndex:
    return WheelIndex(tmp_path / "index")
