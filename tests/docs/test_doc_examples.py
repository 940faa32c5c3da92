"""The Python in the documentation is Python: every block compiles, every page's blocks run.

A block that begins with `# name.py` is that file, for the blocks after it; the others are files of their own. Flows in
them can be built, tests in them pass.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [
    page.relative_to(ROOT).as_posix()
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
    if "```python" in page.read_text(encoding="utf-8")
]


class Block(NamedTuple):
    page: str
    line: int
    code: str

    @property
    def file_name(self) -> str:
        named = re.match(r"# (\w+\.py)\n", self.code)
        return named[1] if named else f"block_{self.line}.py"


def blocks_of(page: str) -> Iterator[Block]:
    text = (ROOT / page).read_text(encoding="utf-8")
    for found in re.finditer(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        yield Block(page, text.count("\n", 0, found.start()) + 1, found[1])


BLOCKS = [block for page in PAGES for block in blocks_of(page)]


def test_the_pages_for_authors_have_examples() -> None:
    assert set(PAGES) >= {"README.md", "docs/authoring.md", "docs/testing.md"}
    for page in PAGES:
        assert (ROOT / page).read_text(encoding="utf-8").count("```python") == len(list(blocks_of(page)))


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: f"{block.page}:{block.line}")
def test_a_block_is_python(block: Block) -> None:
    ast.parse(block.code, feature_version=(3, 10))


@pytest.mark.parametrize("page", PAGES)
def test_the_blocks_of_a_page_run(page: str, tmp_path: Path) -> None:
    folder = tmp_path / "page"
    folder.mkdir()
    blocks = list(blocks_of(page))
    for block in blocks:
        (folder / block.file_name).write_text(block.code, encoding="utf-8")
    (folder / "test_flows.py").write_text(
        textwrap.dedent(f"""
            import importlib
            import pytest
            from dagy import Flow

            @pytest.mark.parametrize("module", {[block.file_name.removesuffix(".py") for block in blocks]})
            def test_a_block_runs_and_its_flows_can_be_built(module):
                for value in vars(importlib.import_module(module)).values():
                    if isinstance(value, Flow):
                        value.build()
        """)
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "."],
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "DAGY_LOCAL_DIR": str(tmp_path / "home")},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
