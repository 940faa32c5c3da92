"""`dagy build`: an artifact from a flow."""

from __future__ import annotations

from pathlib import Path

import click

from dagy_cli.completing import files
from dagy_cli.params import pairs
from dagy_cli.session import Session, pass_session
from dagy_cli.settings import Command


@click.command("build", cls=Command, short_help="Build a deployment artifact (zip) from a flow.")
@click.argument("target", metavar="PATH[:FLOW]", shell_complete=files)
@click.option("--output-dir", type=click.Path(path_type=Path, file_okay=False), help="Where to write the artifact.")
@click.option("--param", "params", multiple=True, metavar="KEY=VALUE", help="A build-time parameter. Repeatable.")
@click.option("--include", multiple=True, metavar="GLOB", help="Files to add, relative to the flow's. Repeatable.")
@click.option("--flow-version", metavar="VERSION", help="The version to build.  [default: the decorator's, or latest]")
@pass_session
def build(
    session: Session,
    target: str,
    output_dir: Path | None,
    params: tuple[str, ...],
    include: tuple[str, ...],
    flow_version: str | None,
) -> None:
    """Build a deployment artifact (zip) from a flow.

    The flow's plan, its file and the local modules it imports go in; data files only with --include, installed
    packages never. The same input gives the same bytes. Nothing is uploaded: `dagy deploy` does that.

    \b
    Examples:
      dagy build pipelines/etl.py:daily_etl
      dagy build flows/main.py:my_flow --output-dir dist --include 'data/*.csv'
    """
    from dagy.artifact import build_artifact, load_target
    from dagy.parameters import coerce_text, describe

    texts = pairs("param", params)
    flow = load_target(target)
    artifact = build_artifact(
        flow,
        output_dir=output_dir,
        include=include,
        version=flow_version,
        flow_kwargs=coerce_text(describe(flow.fn), texts),
    )
    for warning in artifact.warnings:
        session.out.warning(warning)
    session.out.item(
        {
            "path": str(artifact.path),
            "flow_name": artifact.flow_name,
            "flow_version": artifact.flow_version,
            "code_hash": artifact.code_hash,
            "sha256": artifact.sha256,
            "size_bytes": artifact.path.stat().st_size,
            "warnings": list(artifact.warnings),
        },
        text=f"Artifact: {artifact.path}",
    )
