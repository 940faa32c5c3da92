"""The bucket: artifacts of flows, results and logs of runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from aws_cdk import Aws, Duration, RemovalPolicy, Tags
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from dagy.core.errors import InvalidInput
from dagy.core.names import PACKAGES_PREFIX, is_written_key
from dagy_infra.constructs.accepted import WildcardStatement, accept
from dagy_infra.stages import DEFAULT_STAGE
from dagy_runtime.adapters.aws.packing import STATE_PREFIX

RUNS_PREFIX: Final = "runs/"
STATE_OF_RUNS: Final = f"{STATE_PREFIX}runs/"
STATE_OF_DEAD_LETTERS: Final = f"{STATE_PREFIX}dead-letters/"


@dataclass(frozen=True, slots=True)
class ArtifactStoreProps:
    stage: str
    run_retention_days: int = 180
    """When results and logs of runs are deleted. Artifacts never are."""
    requires_tls: bool = True
    """Off only in an emulator, which speaks plain HTTP on the loopback interface."""
    key: kms.IKey | None = None
    """What objects are encrypted with, instead of a key of S3's own. Objects that are there keep theirs."""


class ArtifactStore(Construct):
    """A private, versioned bucket of the documented name. It stays when its stack goes."""

    def __init__(self, scope: Construct, construct_id: str, props: ArtifactStoreProps) -> None:
        super().__init__(scope, construct_id)
        name = bucket_name(props.stage, account=Aws.ACCOUNT_ID, region=Aws.REGION)
        # Policies name it without waiting for it, and read the same in whatever stack they are.
        self._arn: Final = f"arn:{Aws.PARTITION}:s3:::{name}"
        self.bucket: Final = s3.Bucket(
            self,
            "Bucket",
            bucket_name=name,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            encryption=s3.BucketEncryption.KMS if props.key else s3.BucketEncryption.S3_MANAGED,
            encryption_key=props.key,
            bucket_key_enabled=True if props.key else None,  # one call to KMS for many objects
            enforce_ssl=props.requires_tls,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            versioned=True,  # a run pins the version of its artifact
            removal_policy=RemovalPolicy.RETAIN,
            lifecycle_rules=[
                s3.LifecycleRule(
                    id="expire-runs", prefix=RUNS_PREFIX, expiration=Duration.days(props.run_retention_days)
                ),
                *(
                    s3.LifecycleRule(id=rule, prefix=prefix, noncurrent_version_expiration=Duration.days(1))
                    for rule, prefix in (("expire-old-runs", RUNS_PREFIX), ("expire-old-state", STATE_PREFIX))
                ),
                s3.LifecycleRule(
                    # Deleting a package leaves a marker; runs under way have pinned the version below it.
                    id="expire-deleted-packages",
                    prefix=f"{PACKAGES_PREFIX}/",
                    noncurrent_version_expiration=Duration.days(30),
                ),
                s3.LifecycleRule(
                    # Old versions of artifacts stay: an upload whose registration failed, or that crossed another
                    # deploy's, leaves the registered version a noncurrent one.
                    id="tidy",
                    abort_incomplete_multipart_upload_after=Duration.days(1),
                    expired_object_delete_marker=True,
                ),
            ],
        )
        accept(
            self.bucket,
            "S1",
            "Server access logs need a second bucket that grows for ever; CloudTrail data events say the same",
        )
        Tags.of(self).add("dagy:component", "store")

    def reading(self) -> list[iam.PolicyStatement]:
        """Everything, in the version that a run pinned: `dagy deploy --prefix` puts artifacts where it likes."""
        return [
            WildcardStatement(
                reason=_OBJECTS,
                sid="ReadObjects",
                actions=["s3:GetObject", "s3:GetObjectVersion"],
                resources=[f"{self._arn}/*"],
            ),
            # Without it S3 answers 403 for what is not there, not 404.
            iam.PolicyStatement(sid="ListBucket", actions=["s3:ListBucket"], resources=[self._arn]),
        ]

    def reading_state(self) -> iam.PolicyStatement:
        """What was too large for the table."""
        return WildcardStatement(
            reason=_OBJECTS, sid="ReadState", actions=["s3:GetObject"], resources=[f"{self._arn}/{STATE_PREFIX}*"]
        )

    def uploading(self) -> list[iam.PolicyStatement]:
        """For whoever deploys flows: any key but those that functions write, and to compare with what was there."""
        return [
            WildcardStatement(
                reason=_OBJECTS,
                sid="UploadArtifacts",
                actions=["s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"],
                resources=[f"{self._arn}/*"],
            ),
            iam.PolicyStatement(
                sid="LeaveRunsAlone",
                effect=iam.Effect.DENY,
                actions=["s3:PutObject"],
                resources=[f"{self._arn}/{prefix}*" for prefix in (RUNS_PREFIX, STATE_PREFIX)],
            ),
        ]

    def writing(self, *prefixes: str) -> iam.PolicyStatement:
        """Below prefixes that are no artifacts': writing one of those would be writing code.

        Raises: InvalidInput for any other prefix.
        """
        for prefix in prefixes:
            if not is_written_key(prefix):
                raise InvalidInput(f"Functions cannot write below '{prefix}': code may be there")
        return WildcardStatement(
            reason=_OBJECTS,
            sid="WriteObjects",
            actions=["s3:PutObject"],
            resources=[f"{self._arn}/{prefix}*" for prefix in prefixes],
        )

    def deleting_packages(self) -> iam.PolicyStatement:
        """A marker over them: what a run has pinned stays for a while."""
        return WildcardStatement(
            reason=_OBJECTS,
            sid="DeletePackages",
            actions=["s3:DeleteObject"],
            resources=[f"{self._arn}/{PACKAGES_PREFIX}/*"],
        )


_OBJECTS: Final = (
    "Objects cannot be named before they exist: all of the stage's one bucket to read, as `dagy deploy --prefix` "
    "puts artifacts where it likes, and prefixes that are no artifacts' to write; deleted packages keep their versions"
)


def bucket_name(stage: str, *, account: str, region: str) -> str:
    """The default stage's bucket carries no stage, so that the documented name finds it."""
    name = f"dagy-artifacts-{account}-{region}"
    return name if stage == DEFAULT_STAGE else f"{name}-{stage}"
