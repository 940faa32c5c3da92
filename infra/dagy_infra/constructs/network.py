"""Where the runtimes are, when flows must reach what only a VPC has, and where containers are, which are always in one.
Nothing else of a stage is ever in one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from constructs import Construct

from dagy_infra.constructs.accepted import NAMELESS, WildcardStatement, accept

_INTERFACES: Final = (
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
)


@dataclass(frozen=True, slots=True)
class Network:
    """Subnets of a VPC, private ones unless told otherwise: a function has no address that the internet answers to.

    The runtimes call DynamoDB, S3, Lambda and Step Functions. The first two have gateway endpoints, which cost nothing;
    for the others the subnets need a way out (a NAT gateway) or interface endpoints, both billed by the hour.
    """

    vpc: ec2.IVpc
    subnets: ec2.SubnetSelection | None = None
    security_groups: Sequence[ec2.ISecurityGroup] = ()
    """None: one is made for all runtimes, that lets everything out and nothing in."""
    is_public: bool = False
    """Whether what is in it needs an address of its own to get out."""

    def subnet_ids(self) -> list[str]:
        chosen = self.subnets or ec2.SubnetSelection()
        return self.vpc.select_subnets(subnet_type=chosen.subnet_type, subnets=chosen.subnets).subnet_ids

    def security_groups_in(self, scope: Construct) -> Sequence[ec2.ISecurityGroup]:
        if self.security_groups:
            return self.security_groups
        return [ec2.SecurityGroup(scope, "SecurityGroup", vpc=self.vpc, description="Runtimes of Dagy")]


def public_network(scope: Construct) -> Network:
    """For containers of a stage that has no VPC: two subnets with a way out and no NAT gateway, which would be billed
    by the hour. A container has an address while it runs, and nobody is let in.
    """
    vpc = ec2.Vpc(
        scope,
        "Vpc",
        max_azs=2,
        nat_gateways=0,
        subnet_configuration=[
            ec2.SubnetConfiguration(name="Public", subnet_type=ec2.SubnetType.PUBLIC, map_public_ip_on_launch=False)
        ],
        restrict_default_security_group=False,  # it would take a function of the CDK's own; nothing is in that group
    )
    accept(vpc, "VPC7", "Flow logs are billed by the byte; nothing listens there, and containers only call out")
    return Network(vpc, ec2.SubnetSelection(subnet_type=ec2.SubnetType.PUBLIC), is_public=True)


def attaching() -> WildcardStatement:
    """For the role of a function in a VPC. Lambda asks for it before it makes the function."""
    return WildcardStatement(
        reason=NAMELESS,
        sid="AttachToNetwork",
        actions=list(_INTERFACES),
        resources=["*"],
    )


def not_attaching(function_arn: str) -> iam.PolicyStatement:
    """Takes it away from the function's code, which is a stranger's: only Lambda itself keeps it."""
    return iam.PolicyStatement(
        sid="CodeAttachesNothing",
        effect=iam.Effect.DENY,
        actions=list(_INTERFACES),
        resources=["*"],
        conditions={"ArnEquals": {"lambda:SourceFunctionArn": function_arn}},
    )
