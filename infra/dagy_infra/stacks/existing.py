"""Things of yours that a stage was told to use, by their ids: found without asking AWS, so synthesis stays pure."""

from __future__ import annotations

from aws_cdk import Annotations
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_route53 as route53
from aws_cdk import aws_sns as sns
from constructs import Construct

from dagy_infra.constructs import Domain, Network
from dagy_infra.stages import StageConfig


def key_of(scope: Construct, stage: StageConfig) -> kms.IKey | None:
    arn = stage.settings.kms_key_arn
    return kms.Key.from_key_arn(scope, "Key", arn) if arn else None


def topic_of(scope: Construct, stage: StageConfig) -> sns.ITopic | None:
    arn = stage.settings.alarm_topic_arn
    return sns.Topic.from_topic_arn(scope, "AlarmTopic", arn) if arn else None


def network_of(scope: Construct, stage: StageConfig) -> Network | None:
    settings = stage.settings
    if settings.vpc_id is None:
        return None
    # Nothing here asks for the subnets' routes, or for their zones, which only AWS knows.
    Annotations.of(scope).acknowledge_warning("@aws-cdk/aws-ec2:noSubnetRouteTableId")
    vpc = ec2.Vpc.from_vpc_attributes(
        scope,
        "Vpc",
        vpc_id=settings.vpc_id,
        availability_zones=["unknown"] * len(settings.subnet_ids),
        private_subnet_ids=list(settings.subnet_ids),
    )
    groups = [
        ec2.SecurityGroup.from_security_group_id(scope, f"SecurityGroup{number}", group, mutable=False)
        for number, group in enumerate(settings.security_group_ids)
    ]
    return Network(vpc, security_groups=groups)


def domain_of(scope: Construct, stage: StageConfig) -> Domain | None:
    settings = stage.settings
    if settings.domain_name is None or settings.certificate_arn is None:
        return None
    zone = settings.hosted_zone_id
    return Domain(
        settings.domain_name,
        acm.Certificate.from_certificate_arn(scope, "Certificate", settings.certificate_arn),
        route53.HostedZone.from_hosted_zone_id(scope, "HostedZone", zone) if zone else None,
    )


def limit_roles(scope: Construct, stage: StageConfig) -> None:
    """Every role below gets the boundary that was asked for, also those that are made later."""
    boundary = stage.settings.permissions_boundary
    if boundary is None:
        return
    is_arn = boundary.startswith("arn:")
    named = iam.ManagedPolicy.from_managed_policy_arn if is_arn else iam.ManagedPolicy.from_managed_policy_name
    iam.PermissionsBoundary.of(scope).apply(named(scope, "Boundary", boundary))
