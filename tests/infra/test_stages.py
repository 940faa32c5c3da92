"""Which stages there are and what they differ in."""

from __future__ import annotations

import pytest

from dagy.core.errors import InvalidInput
from dagy.core.sizes import Size
from dagy_infra.app import stage_from_context
from dagy_infra.constructs.artifact_store import bucket_name
from dagy_infra.stages import Emulator, parse_sizes, stage_config


@pytest.mark.parametrize(
    "context, environ, name",
    [
        pytest.param({}, {}, "dev", id="the default"),
        pytest.param({}, {"DAGY_STAGE": "qa"}, "qa", id="the environment's"),
        pytest.param({"stage": "prod"}, {"DAGY_STAGE": "qa"}, "prod", id="the one asked for wins"),
    ],
)
def test_which_stage_is_synthesised(context: dict[str, str], environ: dict[str, str], name: str) -> None:
    assert stage_from_context(context, environ).name == name


def test_any_name_is_a_stage_and_a_careful_one() -> None:
    assert stage_config("qa").is_protected
    assert stage_config("qa").has_alarms
    assert not stage_config("dev").is_protected


@pytest.mark.parametrize("name", ["", "Prod", "a b", "-x", "x" * 17, "../dev"])
def test_names_that_cannot_be_part_of_a_bucket_are_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="stage"):
        stage_config(name)


def test_stage_local_is_the_local_clouds_and_nobody_elses() -> None:
    with pytest.raises(InvalidInput) as refused:
        stage_config("local")
    assert refused.value.hint == "Start it with: dagy local start"
    with pytest.raises(InvalidInput):
        stage_config("dev", emulator=Emulator("http://127.0.0.1:1"))


def test_the_emulator_comes_with_the_context() -> None:
    context = {"stage": "local", "emulator": "http://127.0.0.1:4566", "emulator_iam": "true"}
    assert stage_from_context(context, {}).emulator == Emulator("http://127.0.0.1:4566", enforces_iam=True)


def test_the_longest_bucket_name_fits() -> None:
    assert len(bucket_name("x" * 16, account="0" * 12, region="ap-southeast-12")) <= 63


@pytest.mark.parametrize(
    "text, sizes",
    [
        pytest.param("nano", (Size.NANO,), id="one"),
        pytest.param("small, nano,", (Size.NANO, Size.SMALL), id="any order, spaces"),
        pytest.param(",".join(Size), tuple(Size), id="all"),
    ],
)
def test_sizes_are_chosen_by_name(text: str, sizes: tuple[Size, ...]) -> None:
    assert parse_sizes(text) == sizes
    assert stage_from_context({"stage": "dev", "sizes": text}, {}).sizes == sizes


@pytest.mark.parametrize("text", ["", ",", "huge", "nano,huge"])
def test_sizes_that_cannot_be_are_refused_with_those_that_can(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        stage_from_context({"sizes": text}, {})
    assert refused.value.hint == "Give some of: nano,micro,small,medium,large,xlarge"


def test_a_stage_has_all_sizes_unless_told_otherwise() -> None:
    assert stage_from_context({}, {}).sizes == tuple(Size)
    assert stage_config("prod").sizes == tuple(Size)
