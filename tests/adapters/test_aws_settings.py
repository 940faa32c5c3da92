"""A function of a stage is told by its environment where everything is."""

from __future__ import annotations

import subprocess
import sys

import pytest

from dagy.core.errors import InvalidInput, NotFound
from dagy.core.sizes import Size
from dagy_runtime.adapters import aws
from dagy_runtime.adapters.aws.schedules import EventBridgeSchedules, NoSchedules
from dagy_runtime.adapters.aws.settings import read_settings

COMMON = {"DAGY_STAGE": "dev", "DAGY_TABLE": "t", "DAGY_BUCKET": "b", "DAGY_TIMER_STATE_MACHINE": "arn:timer"}
RUNTIME = {
    **COMMON,
    "DAGY_SIZE": "small",
    "AWS_LAMBDA_FUNCTION_NAME": "dagy-small",
    "DAGY_TASK_STATE_MACHINE": "arn:tasks",
}
API = {
    **COMMON,
    "DAGY_RUNTIMES": '{"nano": "dagy-nano", "small": "dagy-small"}',
    "DAGY_CONTROL_FUNCTION": "dagy-control",
    "DAGY_CONTROL_FUNCTION_ARN": "arn:control",
    "DAGY_SCHEDULE_GROUP": "g",
    "DAGY_SCHEDULE_ROLE": "arn:role",
}


@pytest.mark.parametrize(
    "environ, without, named",
    [
        pytest.param({}, (), "DAGY_TABLE, DAGY_BUCKET, DAGY_TIMER_STATE_MACHINE, DAGY_RUNTIMES, DAGY_CONTROL_FUNCTION"),
        pytest.param(RUNTIME, ("DAGY_BUCKET", "AWS_LAMBDA_FUNCTION_NAME"), "DAGY_BUCKET, AWS_LAMBDA_FUNCTION_NAME"),
        pytest.param(API, ("DAGY_SCHEDULE_ROLE", "DAGY_TABLE"), "DAGY_TABLE, DAGY_SCHEDULE_ROLE"),
    ],
)
def test_all_that_is_missing_is_named_at_once(environ, without, named):
    given = {name: value for name, value in environ.items() if name not in without}
    with pytest.raises(InvalidInput, match=f"Missing in the environment: {named}$"):
        aws.world(given)


def test_a_runtime_function_reaches_itself_and_no_other():
    functions = read_settings(RUNTIME).functions
    assert functions.runtime(Size.SMALL) == "dagy-small"
    with pytest.raises(NotFound, match="nano"):
        functions.runtime(Size.NANO)


def test_a_container_reaches_the_function_of_its_size_and_its_own_machine():
    environ = {name: value for name, value in RUNTIME.items() if name != "AWS_LAMBDA_FUNCTION_NAME"}
    told = {"DAGY_RUNTIME_FUNCTION": "dagy-small", "DAGY_CONTAINER_STATE_MACHINE": "arn:containers"}
    settings = read_settings({**environ, **told})
    assert settings.functions.runtime(Size.SMALL) == "dagy-small"
    assert settings.container_state_machine == "arn:containers"


def test_only_a_stage_with_containers_can_start_them():
    assert aws.world(RUNTIME).containers is None
    assert aws.world({**RUNTIME, "DAGY_CONTAINER_STATE_MACHINE": "arn:containers"}).containers is not None


def test_the_others_reach_every_runtime_they_are_told_of():
    functions = read_settings(API).functions
    assert (functions.runtime(Size.NANO), functions.control_function()) == ("dagy-nano", "dagy-control")


def test_a_function_that_sends_nothing_needs_to_know_nobody():
    failures = {"DAGY_STAGE": "dev", "DAGY_TABLE": "t", "DAGY_BUCKET": "b", "DAGY_SENDS": "nothing"}
    functions = read_settings(failures).functions
    for asked in (functions.control_function, lambda: functions.runtime(Size.NANO)):
        with pytest.raises(NotFound):
            asked()
    with pytest.raises(InvalidInput, match=r"Missing in the environment: DAGY_TABLE$"):
        read_settings({**failures, "DAGY_TABLE": ""})


def test_a_list_of_runtimes_that_is_no_json_object_is_refused():
    for text in ("[", '["nano"]', '{"huge": "x"}'):
        with pytest.raises(InvalidInput, match="DAGY_RUNTIMES"):
            read_settings({**API, "DAGY_RUNTIMES": text})


def test_only_functions_that_are_told_of_a_scheduler_change_schedules():
    assert isinstance(aws.world(API).schedules, EventBridgeSchedules)
    assert isinstance(aws.world(RUNTIME).schedules, NoSchedules)


def test_making_a_world_loads_neither_an_aws_library_nor_schedules():
    """The stacks import the table's layout, and a cold start pays for boto3 only when it is used, and for schedules
    only where they are changed.
    """
    code = (
        "import sys; from dagy_runtime.adapters import aws; from dagy_runtime.adapters.aws import schema; "
        f"aws.world({RUNTIME!r}); assert not {{'boto3', 'botocore', 'cronsim', 'dagy.schedules'}} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
