"""The bucket: artifacts of flows, results and logs of runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from aws_cdk import Aws, Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from dagy_infra.stages import DEFAULT_STAGE

ARTIFACTS_PREFIX: Final = "artifacts/"
RUNS_PREFIX: Final = "runs/"


@dataclass(frozen=True, slots=True)
class ArtifactStoreProps:
    stage: str
    run_retention_days: int = 180
    """When results and logs of runs are deleted. Artifacts never are."""
    requires_tls: bool = True
    """Off only in an emulator, which speaks plain HTTP on the loopback interface."""


class ArtifactStore(Construct):
    """A private, versioned bucket of the documented name. It stays when its stack goes."""

    def __init__(self, scope: Construct, construct_id: str, props: ArtifactStoreProps) -> None:
        super().__init__(scope, construct_id)
        self.bucket: Final = s3.Bucket(
            self,
            "Bucket",
            bucket_name=bucket_name(props.stage, account=Aws.ACCOUNT_ID, region=Aws.REGION),
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=props.requires_tls,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            versioned=True,  # a run pins the version of its artifact
            removal_policy=RemovalPolicy.RETAIN,
            lifecycle_rules=[
                s3.LifecycleRule(
                    id="expire-runs", prefix=RUNS_PREFIX, expiration=Duration.days(props.run_retention_days)
                ),
                s3.LifecycleRule(
                    id="expire-old-run-versions", prefix=RUNS_PREFIX, noncurrent_version_expiration=Duration.days(1)
                ),
                s3.LifecycleRule(
                    # Replaced artifacts: no run that pinned one can still be open by then.
                    id="expire-old-artifact-versions",
                    prefix=ARTIFACTS_PREFIX,
                    noncurrent_version_expiration=Duration.days(props.run_retention_days),
                ),
                s3.LifecycleRule(
                    id="tidy",
                    abort_incomplete_multipart_upload_after=Duration.days(1),
                    expired_object_delete_marker=True,
                ),
            ],
        )

    def reading_artifacts(self) -> iam.PolicyStatement:
        """GetObject also answers HeadObject and presigned downloads; GetObjectVersion reads the pinned version."""
        return iam.PolicyStatement(
            sid="ReadArtifacts",
            actions=["s3:GetObject", "s3:GetObjectVersion"],
            resources=[self.bucket.arn_for_objects(f"{ARTIFACTS_PREFIX}*")],
        )

    def reading_runs(self) -> iam.PolicyStatement:
        return iam.PolicyStatement(
            sid="ReadRuns", actions=["s3:GetObject"], resources=[self.bucket.arn_for_objects(f"{RUNS_PREFIX}*")]
        )

    def writing_runs(self) -> iam.PolicyStatement:
        return iam.PolicyStatement(
            sid="WriteRuns", actions=["s3:PutObject"], resources=[self.bucket.arn_for_objects(f"{RUNS_PREFIX}*")]
        )

    def listing(self, *prefixes: str) -> iam.PolicyStatement:
        """Listing is also what turns S3's 403 for an absent key into a 404."""
        return iam.PolicyStatement(
            sid="List",
            actions=["s3:ListBucket"],
            resources=[self.bucket.bucket_arn],
            conditions={"StringLike": {"s3:prefix": [f"{prefix}*" for prefix in prefixes]}},
        )


def bucket_name(stage: str, *, account: str, region: str) -> str:
    """The default stage's bucket carries no stage, so that the documented name finds it."""
    name = f"dagy-artifacts-{account}-{region}"
    return name if stage == DEFAULT_STAGE else f"{name}-{stage}"
