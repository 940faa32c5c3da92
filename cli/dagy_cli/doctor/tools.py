"""What only provisioning needs: the CDK, and a Node for it. Whoever does not provision needs neither."""

from __future__ import annotations

import importlib.util
import subprocess

from dagy.core.errors import DagyError
from dagy_cli.doctor.finding import Finding, Outcome

INSTALL = "pip install 'dagy[infra]'"


def provisioning() -> list[Finding]:
    if importlib.util.find_spec("aws_cdk") is None:
        return [Finding("provisioning", Outcome.SKIPPED, "not installed; only `dagy infra` needs it", INSTALL)]
    return [*_node(), *_cdk()]


def _node() -> list[Finding]:
    from dagy_infra.node import find_node

    try:
        node = find_node()
    except DagyError as error:
        return [Finding("node", Outcome.FAILED, str(error), INSTALL)]
    try:
        done = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        return [Finding("node", Outcome.FAILED, f"{node} does not start: {error}", INSTALL)]
    return [Finding("node", Outcome.OK, f"{done.stdout.strip()} at {node}")]


def _cdk() -> list[Finding]:
    from importlib import metadata

    from dagy_infra.cdk_cli import VERSION, is_installed

    library = f"aws-cdk-lib {metadata.version('aws-cdk-lib')}"
    if is_installed():
        return [Finding("cdk", Outcome.OK, f"{library}, CLI {VERSION}")]
    detail = f"{library}; its CLI {VERSION} is fetched at the first `dagy infra deploy`"
    return [Finding("cdk", Outcome.OK, detail)]
