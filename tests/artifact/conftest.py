"""Projects on disk, and a process that forgets the modules a test loaded from them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from dagy.artifact import LocalArtifact, build_artifact, load_target

Write = Callable[..., Path]
Build = Callable[..., LocalArtifact]


@pytest.fixture(autouse=True)
def forget_modules() -> Iterator[None]:
    modules, path = set(sys.modules), list(sys.path)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if not name.startswith(("dagy", "msgspec", "importlib", "email", "fastjsonschema")):
            del sys.modules[name]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write files, `{path: text}`, below a folder of `tmp_path`; the folder is returned."""

    def write(files: dict[str, str], folder: str = "project") -> Path:
        for name, text in files.items():
            file = tmp_path / folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(dedent(text), encoding="utf-8")
        return tmp_path / folder

    return write


@pytest.fixture
def build(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Build:
    """Write a project, load its flow, build it into `tmp_path/out`. The current directory is elsewhere."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)

    def build(
        files: dict[str, str], target: str = "flow.py", folder: str = "project", **settings: object
    ) -> LocalArtifact:
        settings.setdefault("output_dir", tmp_path / "out")
        flow = load_target(str(write(files, folder) / target))
        return build_artifact(flow, **settings)  # type: ignore[arg-type]

    return build
