"""What it takes to encrypt a stage with a key of one's own: who may use the key, and for what."""

from __future__ import annotations

from typing import Final

from aws_cdk import Aws
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms

USES: Final = (
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
)


def using(key: kms.IKey) -> iam.PolicyStatement:
    """For whoever reads or writes the stage's data: through the services that hold them, and not the key itself."""
    services = [f"{service}.{Aws.REGION}.{Aws.URL_SUFFIX}" for service in ("dynamodb", "s3", "sqs")]
    return iam.PolicyStatement(
        sid="UseKeyOfData",
        actions=list(USES),
        resources=[key.key_arn],
        conditions={"StringEquals": {"kms:ViaService": services}},
    )


def let_services_use(key: kms.IKey) -> None:
    """Log groups and alarms encrypt by themselves, so the key's own policy must let them, for this account only.

    Says nothing to a key that was imported by its ARN: whoever made that one adds the statements, or CloudFormation
    is refused. `docs/provisioning.md` has them.
    """
    region = f"{Aws.REGION}.{Aws.URL_SUFFIX}"
    logs_of_account = f"arn:{Aws.PARTITION}:logs:{Aws.REGION}:{Aws.ACCOUNT_ID}:*"
    for sid, principal, condition in (
        ("LogsOfThisAccount", f"logs.{region}", {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": logs_of_account}}),
        ("AlarmsOfThisAccount", "cloudwatch.amazonaws.com", {"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}}),
    ):
        key.add_to_resource_policy(
            iam.PolicyStatement(
                sid=sid,
                principals=[iam.ServicePrincipal(principal)],
                actions=list(USES),
                resources=["*"],  # in a key's policy: this key
                conditions=condition,
            ),
            allow_no_op=True,
        )
