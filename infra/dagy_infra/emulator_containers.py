"""Containers in the emulator, which only keeps records of them: here the command of each is run, as a process.

The process has what the container would: the environment of the task definition and of the call, the credentials of the
task role, and the emulator as its AWS. It is of the emulator's process group, so whatever ends that ends it too. What
it writes is in the emulator's log.

The emulator's own Python runs this, so it imports nothing of Dagy.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Mapping
from typing import Any, Final

from ministack import app
from ministack.core.responses import get_account_id, get_region
from ministack.services import ecs, stepfunctions, sts

_INTEGRATION: Final = "arn:aws:states:::ecs:runTask"
_INHERITED: Final = ("HOME", "LANG", "LC_ALL", "PATH", "TMPDIR", "TZ")


def install() -> None:
    ecs._get_docker = lambda: None  # else it would pull the image, where there is a Docker
    stepfunctions._SERVICE_DISPATCH[_INTEGRATION] = _run_and_wait


def _run_and_wait(resource: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """As Step Functions does for `ecs:runTask.sync`: a container that ended otherwise than with 0 is an error."""
    request = stepfunctions._pascal_to_camel(parameters)
    status, _, body = ecs._run_task(request)
    answer: dict[str, Any] = json.loads(body)
    if status >= 400:
        raise stepfunctions._ExecutionError("ECS.AmazonECSException", answer.get("message", ""))
    [arn] = [task["taskArn"] for task in answer["tasks"]]
    code = _carry_out(ecs._tasks[arn], request)
    ecs._mark_task_stopped(arn, ecs._tasks[arn], "Essential container in task exited", "EssentialContainerExited", code)
    ended = ecs._sanitize(ecs._tasks[arn])
    if code != 0:
        raise stepfunctions._ExecutionError("States.TaskFailed", json.dumps(_capitalised(ended), default=str))
    return {"Tasks": [_capitalised(ended)]}


def _carry_out(task: Mapping[str, Any], request: Mapping[str, Any]) -> int:
    """The exit code, as a shell has it: 128 and the signal, for one that was killed."""
    definition = ecs._task_defs[ecs._resolve_td_key(task["taskDefinitionArn"])]
    [container] = definition["containerDefinitions"]
    [override] = request["overrides"]["containerOverrides"]
    program, *arguments = container["entryPoint"]
    told = {pair["name"]: pair["value"] for pair in [*container["environment"], *override["environment"]]}
    ended = subprocess.run(
        [sys.executable if program == "python" else program, *arguments],
        env={**_surroundings(), **_credentials(definition["taskRoleArn"]), **told},
        stdin=subprocess.DEVNULL,
        check=False,
    )
    return ended.returncode if ended.returncode >= 0 else 128 - ended.returncode


def _surroundings() -> dict[str, str]:
    kept = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    endpoint = f"http://127.0.0.1:{os.environ['GATEWAY_PORT']}"
    return {**kept, "AWS_ENDPOINT_URL": endpoint, "AWS_REGION": get_region(), "AWS_DEFAULT_REGION": get_region()}


def _credentials(role_arn: str) -> dict[str, str]:
    """Of the account, or of a session of the role when the emulator enforces IAM: as it does for functions."""
    account = get_account_id()
    if not app.AUTH:
        return {"AWS_ACCESS_KEY_ID": account, "AWS_SECRET_ACCESS_KEY": "test"}
    role, session, key = role_arn.rsplit("/", 1)[-1], uuid.uuid4().hex, f"ASIA{uuid.uuid4().hex[:16].upper()}"
    secret, token = uuid.uuid4().hex, uuid.uuid4().hex
    sts.register_session(
        key,
        {
            "Arn": f"arn:aws:sts::{account}:assumed-role/{role}/{session}",
            "UserId": f"{role}:{session}",
            "SecretAccessKey": secret,
            "SessionToken": token,
        },
    )
    return {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret, "AWS_SESSION_TOKEN": token}


def _capitalised(value: Any) -> Any:
    """Names as Step Functions writes them."""
    match value:
        case dict():
            return {key[:1].upper() + key[1:]: _capitalised(item) for key, item in value.items()}
        case list():
            return [_capitalised(item) for item in value]
        case _:
            return value
