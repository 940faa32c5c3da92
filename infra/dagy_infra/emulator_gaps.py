"""What is done by hand in the local cloud because the emulator does not do it."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any, Final

from dagy.aws import translated
from dagy.core.timestamps import to_iso
from dagy_infra.provision import Place
from dagy_runtime.engine.rescue_timer import PERIOD_S
from dagy_runtime.messages import Reconcile, to_json


def allow_recursion(place: Place) -> None:
    """Its CloudFormation ignores `RecursiveLoop`, and its Lambda then ends chains after 16 invocations."""
    functions = place.aws.client("lambda")
    with translated("allowing recursion"):
        for resource in _resources(place, _FUNCTION):
            functions.put_function_recursion_config(FunctionName=resource["PhysicalResourceId"], RecursiveLoop="Allow")


def let_containers_fetch(place: Place) -> None:
    """The bucket that the CDK puts zips in is closed to whoever comes without TLS, and the emulator has none."""
    storage = place.aws.client("s3")
    with translated("opening the bucket of the zips"):
        for bucket in storage.list_buckets()["Buckets"]:
            if bucket["Name"].startswith("cdk-"):
                storage.delete_bucket_policy(Bucket=bucket["Name"])


def rearm_reconciler(place: Place) -> None:
    """A restart of the emulator ends every timer under way, and with it the chain that looks for runs that were under
    way too. Started again, it finds nothing a minute later, or them.
    """
    control = next(r for r in _resources(place, _FUNCTION) if r["LogicalResourceId"].startswith("ControlFunction"))
    machines = _resources(place, "AWS::StepFunctions::StateMachine")
    timer = next(r for r in machines if r["LogicalResourceId"].startswith("TimerMachine"))
    what = {
        "until": to_iso(time.time() + PERIOD_S),
        "function": control["PhysicalResourceId"],
        "message": to_json(Reconcile()),
    }
    with translated("starting the reconciler"):
        place.aws.client("stepfunctions").start_execution(
            stateMachineArn=timer["PhysicalResourceId"], name=f"restart-{uuid.uuid4()}", input=json.dumps(what)
        )


_FUNCTION: Final = "AWS::Lambda::Function"


def _resources(place: Place, kind: str) -> list[dict[str, Any]]:
    with translated("listing what is deployed"):
        resources = place.aws.client("cloudformation").describe_stack_resources(StackName=place.stage.app_stack)
    return [resource for resource in resources["StackResources"] if resource["ResourceType"] == kind]
