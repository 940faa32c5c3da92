"""What a stage has, and what of it goes together."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dagy.core.errors import InvalidFlow, InvalidInput
from dagy.core.offer import Offer
from dagy.core.sizes import Executor, Isolation, Size
from dagy.core.spec import FlowSpec, TaskSpec

OFFER = Offer("dev", tuple(Size), tuple(Isolation), (Executor.LAMBDA, Executor.STEP_FUNCTIONS), has_packages=True)
APART = Executor.STEP_FUNCTIONS


def spec(executor: Executor | None) -> FlowSpec:
    return FlowSpec("f", created_at="", tasks={"load": TaskSpec("load", "m:load", default_executor=executor)})


@pytest.mark.parametrize("executor", [None, Executor.LAMBDA, APART])
def test_with_isolation_a_task_may_name_any_executor_of_the_stage(executor: Executor | None) -> None:
    OFFER.check_settings(Isolation.TASK_ISOLATED, executor)
    OFFER.check_tasks(spec(executor), Isolation.TASK_ISOLATED)


@pytest.mark.parametrize("executor", [None, Executor.LAMBDA])
def test_in_one_process_lambda_is_the_only_one(executor: Executor | None) -> None:
    OFFER.check_settings(Isolation.IN_PROCESS, executor)
    OFFER.check_tasks(spec(executor), Isolation.IN_PROCESS)


def test_in_one_process_another_is_refused_with_what_to_do_instead() -> None:
    with pytest.raises(InvalidInput, match="The deployment wants executor 'step-functions'") as refused:
        OFFER.check_settings(Isolation.IN_PROCESS, APART)
    assert "--execution-mode task-isolated" in str(refused.value.hint)
    with pytest.raises(InvalidInput, match="Task 'load' wants executor 'step-functions'"):
        OFFER.check_tasks(spec(APART), Isolation.IN_PROCESS)


def test_what_a_stage_has_no_containers_for_is_refused_with_the_command_that_gives_it_some() -> None:
    with pytest.raises(InvalidInput, match="Stage 'dev' has no executor 'ecs'") as refused:
        OFFER.check_settings(Isolation.TASK_ISOLATED, Executor.ECS)
    assert "dagy infra deploy --stage dev --set fargate=true" in str(refused.value.hint)
    with pytest.raises(InvalidFlow, match="Task 'load' wants executor 'ecs', which stage 'dev' does not have") as named:
        OFFER.check_spec(spec(Executor.ECS))
    assert "--set fargate=true" in str(named.value.hint)


def test_a_stage_with_containers_takes_it_like_any_other() -> None:
    whole = replace(OFFER, executors=tuple(Executor))
    whole.check_settings(Isolation.TASK_ISOLATED, Executor.ECS)
    whole.check_spec(spec(Executor.ECS))
    with pytest.raises(InvalidInput, match="share one process"):
        whole.check_settings(Isolation.IN_PROCESS, Executor.ECS)
