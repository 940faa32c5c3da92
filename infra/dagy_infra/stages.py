"""What differs between stages, chosen in one place. Any valid name is a stage; most are treated like production."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal, TypeVar

from dagy.core.errors import InvalidInput
from dagy.core.names import checked_name, did_you_mean
from dagy.core.sizes import Size
from dagy_infra.settings import Settings

T = TypeVar("T")
Architecture = Literal["arm64", "x86_64"]

DEFAULT_STAGE: Final = "dev"
LOCAL_STAGE: Final = "local"
PYTHON_VERSION: Final = "3.13"


@dataclass(frozen=True, slots=True)
class Emulator:
    """The AWS emulator that a stage is provisioned into, instead of AWS.

    It runs functions on its own interpreter, and its HTTP API answers under a path of the one endpoint. With
    `enforces_iam` it refuses the roles that the CDK publishes assets with, so the caller's credentials are used.
    """

    endpoint_url: str
    enforces_iam: bool = False


@dataclass(frozen=True, slots=True)
class StageConfig:
    name: str
    is_protected: bool
    """Whether the data stack refuses deletion until somebody switches that off by hand."""
    has_alarms: bool
    log_retention_days: int
    run_retention_days: int
    """How long results and logs of runs stay in the bucket. Artifacts stay for ever."""
    sizes: tuple[Size, ...] = tuple(Size)
    """Which runtime functions it has. Accounts that are new to AWS get no more than 3008 MiB, so `medium` at most."""
    architecture: Architecture = "arm64"  # costs a fifth less than x86_64 on Lambda
    python_version: str = PYTHON_VERSION
    api_requests_per_s: int = 50
    api_burst: int = 100
    emulator: Emulator | None = None
    settings: Settings = field(default_factory=Settings)
    """What was asked to be otherwise. Ids of things that exist are read from here; the rest is in the fields above."""
    has_dashboard: bool = False
    has_tracing: bool = False
    has_containers: bool = False
    """Whether tasks can run on Fargate: executor `ecs`."""

    @property
    def tags(self) -> Mapping[str, str]:
        return self.settings.tags

    @property
    def data_stack(self) -> str:
        return f"Dagy-{self.name}-Data"

    @property
    def app_stack(self) -> str:
        return f"Dagy-{self.name}-App"

    @property
    def manifest_parameter(self) -> str:
        return f"/dagy/{self.name}/manifest"

    @property
    def settings_parameter(self) -> str:
        return f"/dagy/{self.name}/settings"


def stage_config(
    name: str,
    *,
    emulator: Emulator | None = None,
    sizes: tuple[Size, ...] = tuple(Size),
    settings: Settings | None = None,
) -> StageConfig:
    """Raises: InvalidInput for a name that cannot be a stage, or stage `local` without its emulator."""
    return with_settings(replace(_defaults_of(name, emulator), sizes=sizes), settings or Settings())


def with_settings(stage: StageConfig, settings: Settings) -> StageConfig:
    """The stage as its name has it, but for what these settings say. Raises: InvalidInput for the local cloud's."""
    if stage.emulator is not None and settings != Settings():
        raise InvalidInput("The local cloud takes no settings", f"It has none of: {', '.join(settings.given())}.")
    usual = _defaults_of(stage.name, stage.emulator)

    def chosen(given: T | None, otherwise: T) -> T:
        return otherwise if given is None else given

    return replace(
        stage,
        settings=settings,
        has_alarms=chosen(settings.alarms, usual.has_alarms or settings.alarm_topic_arn is not None),
        has_dashboard=chosen(settings.dashboard, usual.has_dashboard),
        has_tracing=chosen(settings.tracing, usual.has_tracing),
        has_containers=chosen(settings.fargate, usual.has_containers),
        log_retention_days=chosen(settings.log_retention_days, usual.log_retention_days),
        run_retention_days=chosen(settings.run_retention_days, usual.run_retention_days),
    )


def parse_sizes(text: str) -> tuple[Size, ...]:
    """What `--sizes` and `-c sizes=` mean: names with commas between them, in any order.

    Raises: InvalidInput for a name that is none, or for no name at all.
    """
    words = [word.strip() for word in text.split(",") if word.strip()]
    unknown = [word for word in words if word not in Size._value2member_map_]
    if unknown or not words:
        what = (
            f"Unknown size '{unknown[0]}'.{did_you_mean(unknown[0], Size)}"
            if unknown
            else "A stage needs at least one size"
        )
        raise InvalidInput(what, f"Give some of: {','.join(Size)}")
    return tuple(size for size in Size if size.value in words)


def _defaults_of(name: str, emulator: Emulator | None) -> StageConfig:
    checked_name("stage", name)
    if (name == LOCAL_STAGE) != (emulator is not None):
        raise InvalidInput(
            f"Stage '{LOCAL_STAGE}' is the local cloud's, and the local cloud has no other",
            "Start it with: dagy local start",
        )
    if emulator is not None:
        return StageConfig(
            name,
            is_protected=False,
            has_alarms=False,
            log_retention_days=7,
            run_retention_days=30,
            architecture=host_architecture(),
            emulator=emulator,
            has_containers=True,
        )
    if name == DEFAULT_STAGE:
        return StageConfig(name, is_protected=False, has_alarms=False, log_retention_days=7, run_retention_days=30)
    return StageConfig(
        name, is_protected=True, has_alarms=True, has_dashboard=True, log_retention_days=90, run_retention_days=180
    )


def host_architecture() -> Architecture:
    return "arm64" if platform.machine().lower() in ("arm64", "aarch64") else "x86_64"


def host_python_version() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"
