"""Start this again and again: the group that holds one EventBridge schedule per deployment, and their role."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from aws_cdk import Aws, Stack, Tags
from aws_cdk import aws_iam as iam
from aws_cdk import aws_scheduler as scheduler
from constructs import Construct

from dagy_infra.constructs.accepted import WildcardStatement
from dagy_infra.constructs.control import Control
from dagy_infra.constructs.function import invoking


@dataclass(frozen=True, slots=True)
class SchedulingProps:
    control: Control
    is_emulated: bool = False
    """The emulator takes every schedule for one of the group `default` when it checks a policy."""


class Scheduling(Construct):
    """Schedules are made by the API, not by CloudFormation; deleting the group deletes them with it."""

    def __init__(self, scope: Construct, construct_id: str, props: SchedulingProps) -> None:
        super().__init__(scope, construct_id)
        self._is_emulated: Final = props.is_emulated
        self._group: Final = scheduler.CfnScheduleGroup(self, "Group")
        self._role: Final = iam.Role(
            self,
            "Role",
            # Only for schedules of this account: otherwise anybody's schedule could borrow the role.
            assumed_by=iam.ServicePrincipal(
                "scheduler.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}}
            ),
        )
        self._role.attach_inline_policy(
            iam.Policy(self, "Policy", statements=[invoking("Fire", props.control.function)])
        )
        Tags.of(self).add("dagy:component", "scheduling")

    @property
    def group_name(self) -> str:
        return self._group.ref

    @property
    def role_arn(self) -> str:
        return self._role.role_arn

    def managing(self) -> list[iam.PolicyStatement]:
        groups = [self.group_name, "default"] if self._is_emulated else [self.group_name]
        schedules = [
            Stack.of(self).format_arn(service="scheduler", resource="schedule", resource_name=f"{group}/*")
            for group in groups
        ]
        return [
            WildcardStatement(
                reason="One schedule per deployment, made and named by the API, in the stage's own group",
                sid="ManageSchedules",
                actions=[
                    "scheduler:CreateSchedule",
                    "scheduler:DeleteSchedule",
                    "scheduler:GetSchedule",
                    "scheduler:UpdateSchedule",
                ],
                resources=schedules,
            ),
            iam.PolicyStatement(
                sid="GiveSchedulesTheirRole",
                actions=["iam:PassRole"],
                resources=[self.role_arn],
                conditions={"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}},
            ),
        ]
