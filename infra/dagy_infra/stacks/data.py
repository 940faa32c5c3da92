"""What must survive: the bucket and the table. Everything else of a stage can be deleted and deployed again."""

from __future__ import annotations

from typing import Final

from aws_cdk import CfnOutput, IStackSynthesizer, Stack
from constructs import Construct

from dagy_infra.constructs import ArtifactStore, ArtifactStoreProps, RunTable, RunTableProps
from dagy_infra.stages import StageConfig


class DataStack(Stack):
    def __init__(self, scope: Construct, stage: StageConfig, *, synthesizer: IStackSynthesizer | None = None) -> None:
        super().__init__(
            scope,
            stage.data_stack,
            description=f"Dagy, stage {stage.name}: artifacts and state. Deleting it keeps the bucket and the table.",
            termination_protection=stage.is_protected,
            synthesizer=synthesizer,
        )
        self.store: Final = ArtifactStore(
            self,
            "ArtifactStore",
            ArtifactStoreProps(
                stage=stage.name,
                run_retention_days=stage.run_retention_days,
                requires_tls=stage.emulator is None,
            ),
        )
        self.runs: Final = RunTable(self, "RunTable", RunTableProps(is_protected=stage.is_protected))
        CfnOutput(self, "Bucket", value=self.store.bucket.bucket_name)
        CfnOutput(self, "Table", value=self.runs.table.table_name)
