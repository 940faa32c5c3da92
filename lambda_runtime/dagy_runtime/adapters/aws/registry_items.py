"""Flow versions, deployments and API keys as items, and back."""

from __future__ import annotations

from msgspec.structs import asdict

from dagy.core.sizes import Executor, Isolation, Size
from dagy.core.spec import FlowSpec
from dagy_runtime.adapters.aws import schema
from dagy_runtime.adapters.aws.attributes import Item
from dagy_runtime.adapters.aws.packing import Packing
from dagy_runtime.adapters.aws.run_items import artifact
from dagy_runtime.values import ApiKey, Deployment, DeploymentStatus, FlowVersion, Role, ScheduleSpec


class RegistryItems:
    """The translation. It needs the bucket, for what is too large for an item."""

    def __init__(self, packing: Packing) -> None:
        self._packing = packing

    def of_flow(self, flow: FlowVersion) -> Item:
        return {
            "name": flow.name,
            "version": flow.version,
            "spec": self._packing.packed(flow.spec.to_dict(), owner=f"flows/{flow.name}/{flow.version}"),
            "artifact": asdict(flow.artifact),
            "code_hash": flow.code_hash,
            "namespace": flow.namespace,
            "tags": dict(flow.tags),
            "created_at": flow.created_at,
            "updated_at": flow.updated_at,
            **schema.flow_index(flow.name, flow.version),
        }

    def flow(self, item: Item) -> FlowVersion:
        return FlowVersion(
            name=item["name"],
            version=item["version"],
            spec=FlowSpec.from_dict(self._packing.unpacked(item["spec"])),
            artifact=artifact(item["artifact"]),
            code_hash=item.get("code_hash"),
            namespace=item["namespace"],
            tags=item["tags"],
            created_at=item["created_at"],
            updated_at=item["updated_at"],
        )

    def of_deployment(self, deployment: Deployment) -> Item:
        """Without its version, which the table counts."""
        return {
            "name": deployment.name,
            "flow_name": deployment.flow_name,
            "flow_version": deployment.flow_version,
            "status": deployment.status,
            "size": deployment.size,
            "isolation": deployment.isolation,
            "created_at": deployment.created_at,
            "updated_at": deployment.updated_at,
            "schedule": asdict(deployment.schedule) if deployment.schedule else None,
            "default_executor": deployment.default_executor,
            "tags": dict(deployment.tags),
            "parameters": self._packing.packed(dict(deployment.parameters), owner=f"deployments/{deployment.name}"),
            "packages": list(deployment.packages),
            "max_concurrent_runs": deployment.max_concurrent_runs,
            "artifact_sha256": deployment.artifact_sha256,
            "updated_by": deployment.updated_by,
            **schema.deployment_index(deployment.name, deployment.flow_name),
        }

    def deployment(self, item: Item) -> Deployment:
        schedule, executor = item.get("schedule"), item.get("default_executor")
        return Deployment(
            name=item["name"],
            flow_name=item["flow_name"],
            flow_version=item["flow_version"],
            deployment_version=item["deployment_version"],
            status=DeploymentStatus(item["status"]),
            size=Size(item["size"]),
            isolation=Isolation(item["isolation"]),
            created_at=item["created_at"],
            updated_at=item["updated_at"],
            schedule=ScheduleSpec(schedule["expression"], schedule["timezone"]) if schedule else None,
            default_executor=Executor(executor) if executor else None,
            tags=item["tags"],
            parameters=self._packing.unpacked(item["parameters"]),
            packages=tuple(item["packages"]),
            max_concurrent_runs=item.get("max_concurrent_runs"),
            artifact_sha256=item.get("artifact_sha256"),
            updated_by=item.get("updated_by"),
        )


def of_api_key(key: ApiKey) -> Item:
    return {**asdict(key), **schema.api_key_index(key.id, key.created_at)}


def api_key(item: Item) -> ApiKey:
    return ApiKey(
        id=item["id"],
        name=item["name"],
        role=Role(item["role"]),
        secret_sha256=item["secret_sha256"],
        created_at=item["created_at"],
        created_by=item["created_by"],
        expires_at=item.get("expires_at"),
        revoked_at=item.get("revoked_at"),
    )
