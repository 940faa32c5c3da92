"""Takes a stage down again, without ever deleting data that was not asked for by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from dagy.aws import translated
from dagy.core.errors import Conflict, InvalidInput
from dagy_infra.cdk_cli import Report
from dagy_infra.provision import Place, StackStatus, outputs_of, status

_DELETE_BATCH: Final = 1000  # S3's limit


@dataclass(frozen=True, slots=True)
class Kept:
    """Something that stays, and why."""

    what: str
    why: str


def kept_by_destroy(place: Place) -> list[Kept]:
    """What `destroy` without `delete_data` leaves: for the question before it and the answer after it."""
    data = place.stage.data_stack
    found = outputs_of(place, data)
    if found is None:
        return []
    why = "they are your flows and their history, and cost nothing but storage; the next deploy uses them again"
    pool = (
        f", table {found.get('Table')} and user pool {found['UserPoolId']}"
        if "UserPoolId" in found
        else (f" and table {found.get('Table')}")
    )
    return [Kept(f"stack {data} with bucket {found.get('Bucket')}{pool}", why)]


def destroy(place: Place, report: Report, *, delete_data: bool = False) -> list[StackStatus]:
    """Delete the app stack; with `delete_data` also everything else of the stage. Returns what is still there.

    A repeat goes on where the last one stopped. Raises: InvalidInput when the stage's data are protected; Conflict
    when CloudFormation could not delete a stack.
    """
    if delete_data and place.stage.is_protected:
        raise InvalidInput(
            f"The data of stage {place.stage.name} are protected",
            "Switch off termination protection of its data stack and deletion protection of its table by hand first.",
        )
    _delete_stack(place, place.stage.app_stack, report)
    if delete_data:
        found = outputs_of(place, place.stage.data_stack) or {}
        _delete_stack(place, place.stage.data_stack, report)
        if bucket := found.get("Bucket"):
            _delete_bucket(place, bucket, report)
        if table := found.get("Table"):
            _delete_table(place, table, report)
        if pool := found.get("UserPoolId"):
            _delete_user_pool(place, pool, report)
    return [stack for stack in status(place) if stack.status is not None]


def _delete_stack(place: Place, name: str, report: Report) -> None:
    client = place.aws.client("cloudformation")
    if outputs_of(place, name) is None:
        return
    report(f"Deleting stack {name}")
    from botocore.exceptions import WaiterError  # a lazy door

    with translated(f"deleting stack {name}"):
        client.delete_stack(StackName=name)
        try:
            client.get_waiter("stack_delete_complete").wait(
                StackName=name, WaiterConfig={"Delay": 3, "MaxAttempts": 600}
            )
        except WaiterError as error:
            raise Conflict(
                f"Stack {name} could not be deleted: {error}", f"See: dagy infra status --stage {place.stage.name}"
            ) from error


def _delete_bucket(place: Place, bucket: str, report: Report) -> None:
    client = place.aws.client("s3")
    report(f"Emptying and deleting bucket {bucket}")
    with translated(f"deleting bucket {bucket}"):
        for page in client.get_paginator("list_object_versions").paginate(
            Bucket=bucket, PaginationConfig={"PageSize": _DELETE_BATCH}
        ):
            objects = [_version(entry) for kind in ("Versions", "DeleteMarkers") for entry in page.get(kind, ())]
            if objects:
                client.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
        client.delete_bucket(Bucket=bucket)


def _version(entry: dict[str, Any]) -> dict[str, str]:
    return {"Key": entry["Key"], "VersionId": entry["VersionId"]}


def _delete_table(place: Place, table: str, report: Report) -> None:
    report(f"Deleting table {table}")
    with translated(f"deleting table {table}"):
        place.aws.client("dynamodb").delete_table(TableName=table)


def _delete_user_pool(place: Place, pool: str, report: Report) -> None:
    report(f"Deleting user pool {pool}")
    with translated(f"deleting user pool {pool}"):
        place.aws.client("cognito-idp").delete_user_pool(UserPoolId=pool)
