"""The one table: flows, deployments, runs, tasks, events, keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from aws_cdk import CfnResource, RemovalPolicy, Tags
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from dagy_runtime.adapters.aws.schema import INDEXES, PARTITION_KEY, SORT_KEY, TTL_ATTRIBUTE, index_keys


@dataclass(frozen=True, slots=True)
class RunTableProps:
    is_protected: bool = True
    """Whether DynamoDB refuses to delete it until that is switched off by hand."""
    key: kms.IKey | None = None
    """What items are encrypted with, instead of a key of DynamoDB's own. Changing it encrypts them anew, in place."""


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
        if props.key is not None:
            self._encrypt_with(props.key)
        Tags.of(self).add("dagy:component", "table")

    def _encrypt_with(self, key: kms.IKey) -> None:
        """The CDK's own way wants to know the region when it synthesises, for replicas that are not there."""
        resource = self.table.node.default_child
        assert isinstance(resource, CfnResource)  # noqa: S101
        resource.add_property_override("SSESpecification", {"SSEEnabled": True, "SSEType": "KMS"})
        resource.add_property_override("Replicas.0.SSESpecification", {"KMSMasterKeyId": key.key_arn})

    def access(self) -> list[iam.PolicyStatement]:
        """To every item and every index: everything but Scan, and no administration. For code of ours only."""
        return [
            iam.PolicyStatement(
                sid="ReadAndWriteItems",
                actions=[*_READING, *_WRITING, "dynamodb:DeleteItem"],
                resources=[self.table.table_arn],
            ),
            self.listing(*INDEXES),
        ]

    def access_to(self, *partitions: str) -> iam.PolicyStatement:
        """To items whose partition key is like one of these, such as `RUN#*`, and to no index.

        An emulator that does not know the condition's key lets everything through, as IAM does for an empty set.
        """
        return iam.PolicyStatement(
            sid="ReadAndWriteSomeItems",
            actions=[*_READING, *_WRITING],
            resources=[self.table.table_arn],
            conditions=_only(partitions),
        )

    def reading(self, *partitions: str) -> iam.PolicyStatement:
        """One by one, items whose partition key is like one of these."""
        return iam.PolicyStatement(
            sid="ReadSomeItems",
            actions=["dynamodb:GetItem"],
            resources=[self.table.table_arn],
            conditions=_only(partitions),
        )

    def listing(self, *indexes: str) -> iam.PolicyStatement:
        return iam.PolicyStatement(
            sid="QueryIndexes",
            actions=["dynamodb:Query"],
            resources=[f"{self.table.table_arn}/index/{index}" for index in indexes],
        )


_READING: Final = ("dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query")
_WRITING: Final = ("dynamodb:BatchWriteItem", "dynamodb:PutItem", "dynamodb:UpdateItem")


def _only(partitions: Sequence[str]) -> dict[str, Any]:
    """Every one of these actions carries the key, also inside a transaction, so the set is never empty."""
    return {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": list(partitions)}}


def _text(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)
