"""The CDK app: `cdk deploy --all` runs it as `python -m dagy_infra.app`. Pick the stage with `-c stage=prod`.

Synthesis is a pure function of the stage, the zips and this package: no AWS call, no clock, no Docker, no git.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dagy.core.errors import DagyError
from dagy.core.sizes import Size
from dagy_infra.assets import KINDS, find_asset, target_of
from dagy_infra.locations import cache_dir
from dagy_infra.node import find_node
from dagy_infra.settings import Settings, parse_settings
from dagy_infra.stages import DEFAULT_STAGE, Emulator, StageConfig, parse_sizes, stage_config

if TYPE_CHECKING:
    from aws_cdk import App

FEATURE_FLAGS: Final = Path(__file__).with_name("feature_flags.json")


def build_app(stage: StageConfig, *, assets: Path | None = None, outdir: str | None = None) -> App:
    """The stage's two stacks. Raises: NotFound when the Lambda zips were not built."""
    zips = {kind: find_asset(kind, target_of(stage), folder=assets) for kind in KINDS}
    os.environ.setdefault("JSII_NODE", str(find_node()))  # read when jsii is imported, so before aws_cdk is
    import aws_cdk

    from dagy_infra.constructs.platform import tag
    from dagy_infra.stacks.app import AppStack
    from dagy_infra.stacks.data import DataStack

    # The flags stand here and not in `cdk.json`, so that the stacks are the same whatever folder synthesis runs in.
    flags = json.loads(FEATURE_FLAGS.read_text(encoding="utf-8"))
    app = aws_cdk.App(post_cli_context=flags, outdir=outdir, analytics_reporting=False)

    def synthesizer() -> aws_cdk.IStackSynthesizer | None:
        is_enforced = stage.emulator is not None and stage.emulator.enforces_iam
        return aws_cdk.CliCredentialsStackSynthesizer() if is_enforced else None

    data = DataStack(app, stage, synthesizer=synthesizer())
    AppStack(app, stage, data=data, assets=zips, synthesizer=synthesizer())
    tag(app, stage)
    return app


def stage_from_context(context: dict[str, Any], environ: dict[str, str]) -> StageConfig:
    """`-c stage=…`, else `DAGY_STAGE`, else the default. `-c sizes=nano,micro` leaves out the other runtime functions.

    Settings are looked for under their own names (`-c tracing=true`), and before that, in a `cdk.json` that several
    stages share, under `stages`: `{"prod": {"tracing": true}}`. `emulator`/`emulator_iam` are set by the local cloud.
    """
    endpoint_url = context.get("emulator")
    emulator = Emulator(endpoint_url, enforces_iam=context.get("emulator_iam") == "true") if endpoint_url else None
    name = context.get("stage") or environ.get("DAGY_STAGE") or DEFAULT_STAGE
    of_stage = context.get("stages", {}).get(name, {})
    given = {**of_stage, **{f.name: context[f.name] for f in fields(Settings) if f.name in context}}
    sizes = given.pop("sizes", None) if "sizes" not in context else context["sizes"]
    given.pop("sizes", None)
    return stage_config(
        name,
        emulator=emulator,
        sizes=tuple(Size) if sizes is None else parse_sizes(",".join(sizes) if isinstance(sizes, list) else str(sizes)),
        settings=parse_settings(given),
    )


def main() -> int:
    # Half of a synthesis; the tests validate the same templates with cfn-lint.
    os.environ.setdefault("CDK_VALIDATION", "false")
    # Compiling the CDK's Python takes 6 s: once, also where it is not written beside it.
    sys.dont_write_bytecode = False
    sys.pycache_prefix = sys.pycache_prefix or str(cache_dir() / "pycache")
    environ = dict(os.environ)
    try:
        stage = stage_from_context(json.loads(environ.get("CDK_CONTEXT_JSON") or "{}"), environ)
        app = build_app(stage, outdir=environ.get("CDK_OUTDIR"))
    except DagyError as error:
        sys.stderr.write(f"Error: {error}\n{error.hint or ''}\n")
        return 1
    app.synth()
    return 0


if __name__ == "__main__":
    sys.exit(main())
