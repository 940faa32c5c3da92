"""The one table: flows, deployments, runs, tasks, events, keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from aws_cdk import RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from constructs import Construct

from dagy_runtime.adapters.aws.schema import INDEXES, PARTITION_KEY, SORT_KEY, TTL_ATTRIBUTE, index_keys


@dataclass(frozen=True, slots=True)
class RunTableProps:
    is_protected: bool = True
    """Whether DynamoDB refuses to delete it until that is switched off by hand."""


class RunTable(Construct):
    """On demand, with point-in-time recovery. It stays when its stack goes. The layout is the AWS adapter's."""

    def __init__(self, scope: Construct, construct_id: str, props: RunTableProps) -> None:
        super().__init__(scope, construct_id)
        self.table: Final = dynamodb.TableV2(
            self,
            "Table",
            partition_key=_text(PARTITION_KEY),
            sort_key=_text(SORT_KEY),
            time_to_live_attribute=TTL_ATTRIBUTE,
            billing=dynamodb.Billing.on_demand(),
            global_secondary_indexes=[
                dynamodb.GlobalSecondaryIndexPropsV2(
                    index_name=index, partition_key=_text(partition_key), sort_key=_text(sort_key)
                )
                for index in INDEXES
                for partition_key, sort_key in [index_keys(index)]
            ],
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            deletion_protection=props.is_protected,
            removal_policy=RemovalPolicy.RETAIN,
        )

    def access(self) -> list[iam.PolicyStatement]:
        """Everything but Scan, and no administration."""
        indexes = [f"{self.table.table_arn}/index/{index}" for index in INDEXES]
        return [
            iam.PolicyStatement(
                sid="ReadAndWriteItems",
                actions=[
                    "dynamodb:BatchGetItem",
                    "dynamodb:BatchWriteItem",
                    "dynamodb:DeleteItem",
                    "dynamodb:GetItem",
                    "dynamodb:PutItem",
                    "dynamodb:UpdateItem",
                ],
                resources=[self.table.table_arn],
            ),
            iam.PolicyStatement(
                sid="QueryItems", actions=["dynamodb:Query"], resources=[self.table.table_arn, *indexes]
            ),
        ]


def _text(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)
