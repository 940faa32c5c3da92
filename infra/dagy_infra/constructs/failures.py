"""What becomes of messages that Lambda gave up on: a function that ends their runs, and a queue for people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from aws_cdk import Duration, RemovalPolicy, Tags
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from dagy_infra.assets import Asset
from dagy_infra.constructs.accepted import accept
from dagy_infra.constructs.artifact_store import STATE_OF_DEAD_LETTERS, STATE_OF_RUNS, ArtifactStore
from dagy_infra.constructs.function import FunctionSettings, StageFunction
from dagy_infra.constructs.run_table import RunTable
from dagy_runtime.adapters.aws.settings import NOTHING

_MEMORY_MIB: Final = 256
_TIMEOUT_S: Final = 300


@dataclass(frozen=True, slots=True)
class FailuresProps:
    settings: FunctionSettings
    asset: Asset
    store: ArtifactStore
    table: RunTable
    requires_tls: bool = True


class Failures(Construct):
    """Takes the failures of the runtimes and of the control function. Its own go to a queue that nobody reads but
    people and an alarm: no loop.

    A function of its own because a flow can call it: its runtime may, or Lambda could not. It can write records of runs
    and dead letters, and start nothing.
    """

    def __init__(self, scope: Construct, construct_id: str, props: FailuresProps) -> None:
        super().__init__(scope, construct_id)
        self.dead_letters: Final = sqs.Queue(
            self,
            "DeadLetters",
            encryption=sqs.QueueEncryption.KMS if props.settings.key else sqs.QueueEncryption.SQS_MANAGED,
            encryption_master_key=props.settings.key,
            enforce_ssl=props.requires_tls,
            retention_period=Duration.days(14),
            removal_policy=RemovalPolicy.DESTROY,
        )
        accept(self.dead_letters, "SQS3", "It is the dead letter queue, as an on-failure destination of Lambda")
        self.function: Final = StageFunction(
            self,
            "Failures",
            settings=props.settings,
            description=f"Dagy {props.settings.stage}: ends runs whose messages Lambda gave up on",
            handler="dagy_runtime.entrypoints.failures.handler",
            asset=props.asset,
            memory_mib=_MEMORY_MIB,
            timeout_s=_TIMEOUT_S,
            environment={
                "DAGY_TABLE": props.table.table.table_name,
                "DAGY_BUCKET": props.store.bucket.bucket_name,
                "DAGY_SENDS": NOTHING,
            },
        )
        self.function.allow(
            props.table.access_to("DEADLETTER#*", "RUN#*"),
            props.store.reading_state(),
            props.store.writing(STATE_OF_DEAD_LETTERS, STATE_OF_RUNS),
        )
        self.function.send_failures_to(self.dead_letters)
        Tags.of(self).add("dagy:component", "failures")
