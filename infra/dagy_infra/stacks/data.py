"""What must survive: the bucket, the table and the user pool. All else can be deleted and deployed again."""

from __future__ import annotations

from typing import Final

from aws_cdk import CfnOutput, IStackSynthesizer, Stack
from constructs import Construct

from dagy_infra.constructs.platform import artifact_store, run_table, user_pool
from dagy_infra.stacks.existing import key_of
from dagy_infra.stages import StageConfig


class DataStack(Stack):
    def __init__(self, scope: Construct, stage: StageConfig, *, synthesizer: IStackSynthesizer | None = None) -> None:
        super().__init__(
            scope,
            stage.data_stack,
            description=f"Dagy, stage {stage.name}: artifacts, state and users. Deleting it keeps them all.",
            termination_protection=stage.is_protected,
            synthesizer=synthesizer,
        )
        key = key_of(self, stage)
        self.store: Final = artifact_store(self, stage, key)
        self.table: Final = run_table(self, stage, key)
        self.users: Final = user_pool(self, stage)
        CfnOutput(self, "Bucket", value=self.store.bucket.bucket_name)
        CfnOutput(self, "Table", value=self.table.table.table_name)
        CfnOutput(self, "UserPoolId", value=self.users.id)
