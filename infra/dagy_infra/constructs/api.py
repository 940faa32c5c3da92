"""The HTTP API: one function behind one route, which checks keys and tokens itself, so nothing else lets anybody in."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from aws_cdk import Aws, Tags
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_iam as iam
from constructs import Construct

from dagy_infra.assets import Asset
from dagy_infra.constructs.accepted import accept
from dagy_infra.constructs.artifact_store import ArtifactStore
from dagy_infra.constructs.control import Control
from dagy_infra.constructs.domain import ApiDomain, Domain
from dagy_infra.constructs.function import FunctionSettings, StageFunction, invoking, log_group
from dagy_infra.constructs.run_table import RunTable
from dagy_infra.constructs.runtimes import Runtimes
from dagy_infra.constructs.scheduling import Scheduling
from dagy_infra.constructs.sign_in import SignIn, SignInProps
from dagy_infra.constructs.timer import Timer
from dagy_infra.constructs.user_pool import UserPool
from dagy_runtime.adapters.aws.packing import STATE_PREFIX

_MEMORY_MIB: Final = 1024  # CPU grows with memory, and a cold start is all CPU
_TIMEOUT_S: Final = 29  # HTTP APIs give up after 30


@dataclass(frozen=True, slots=True)
class ApiProps:
    settings: FunctionSettings
    asset: Asset
    store: ArtifactStore
    table: RunTable
    timer: Timer
    runtimes: Runtimes
    control: Control
    scheduling: Scheduling
    users: UserPool
    requests_per_s: int = 50
    burst: int = 100
    domain: Domain | None = None
    caller_rate: tuple[float, int] = (25, 50)
    """How many requests a second, and how many at once, each key or user may send, to each instance of the function."""
    emulator_endpoint_url: str | None = None
    """Where the API is found when an emulator serves it; its own host names need not resolve."""


class Api(Construct):
    def __init__(self, scope: Construct, construct_id: str, props: ApiProps) -> None:
        super().__init__(scope, construct_id)
        self.http_api: Final = apigateway.CfnApi(
            self,
            "HttpApi",
            name=f"dagy-{props.settings.stage}",
            protocol_type="HTTP",
        )
        self.url: Final = self._url(props)
        self.sign_in: Final = SignIn(
            self, "SignIn", SignInProps(props.users, self.url, emulator_endpoint_url=props.emulator_endpoint_url)
        )
        self.function: Final = self._function(props)
        integration = apigateway.CfnIntegration(
            self,
            "Integration",
            api_id=self.http_api.ref,
            integration_type="AWS_PROXY",
            integration_uri=self.function.arn,
            payload_format_version="2.0",
        )
        route = apigateway.CfnRoute(
            self, "Route", api_id=self.http_api.ref, route_key="$default", target=f"integrations/{integration.ref}"
        )
        accept(route, "APIG4", "The application checks keys and tokens, and the role on every route, itself")
        access_log = log_group(self, "AccessLog", props.settings)
        stage = apigateway.CfnStage(
            self,
            "Stage",
            api_id=self.http_api.ref,
            stage_name="$default",
            auto_deploy=True,
            default_route_settings=apigateway.CfnStage.RouteSettingsProperty(
                throttling_rate_limit=props.requests_per_s, throttling_burst_limit=props.burst
            ),
            access_log_settings=apigateway.CfnStage.AccessLogSettingsProperty(
                destination_arn=access_log.log_group_arn, format=json.dumps(_ACCESS_LOG)
            ),
        )
        self.function.function.add_permission(
            "HttpApi",
            principal=iam.ServicePrincipal("apigateway.amazonaws.com"),
            source_arn=f"arn:{Aws.PARTITION}:execute-api:{Aws.REGION}:{Aws.ACCOUNT_ID}:{self.http_api.ref}/*",
        )
        if props.domain is not None:
            ApiDomain(self, "Domain", props.domain, stage=stage)
        Tags.of(self).add("dagy:component", "api")

    def _url(self, props: ApiProps) -> str:
        if props.emulator_endpoint_url:
            return f"{props.emulator_endpoint_url}/_aws/execute-api/{self.http_api.ref}/$default"
        return f"https://{props.domain.name}" if props.domain else self.http_api.attr_api_endpoint

    def _function(self, props: ApiProps) -> StageFunction:
        function = StageFunction(
            self,
            "Api",
            settings=props.settings,
            description=f"Dagy {props.settings.stage}: the HTTP API",
            handler="dagy_runtime.entrypoints.api.handler",
            asset=props.asset,
            memory_mib=_MEMORY_MIB,
            timeout_s=_TIMEOUT_S,
            environment={
                "DAGY_TABLE": props.table.table.table_name,
                "DAGY_BUCKET": props.store.bucket.bucket_name,
                "DAGY_RUNTIMES": props.runtimes.names_by_size(),
                "DAGY_CONTROL_FUNCTION": props.control.function.name,
                "DAGY_CONTROL_FUNCTION_ARN": props.control.function.arn,
                "DAGY_TIMER_STATE_MACHINE": props.timer.arn,
                "DAGY_SCHEDULE_GROUP": props.scheduling.group_name,
                "DAGY_SCHEDULE_ROLE": props.scheduling.role_arn,
                "DAGY_CALLER_RATE": "/".join(map(str, props.caller_rate)),
                **({"DAGY_HAS_CONTAINERS": "true"} if props.runtimes.containers else {}),
                **self.sign_in.environment(),
            },
        )
        function.allow(
            *props.table.access(),
            *props.store.reading(),
            props.store.writing(STATE_PREFIX),
            props.store.deleting_packages(),
            props.timer.starting(),
            props.runtimes.invoking(),
            invoking("TellControl", props.control.function),
            *props.scheduling.managing(),
            props.users.managing(),
        )
        return function


_ACCESS_LOG: Final = {
    "requestId": "$context.requestId",
    "time": "$context.requestTimeEpoch",
    "ip": "$context.identity.sourceIp",
    "method": "$context.httpMethod",
    "path": "$context.path",
    "status": "$context.status",
    "bytes": "$context.responseLength",
    "latency_ms": "$context.responseLatency",
    "integration_error": "$context.integrationErrorMessage",
    "user_agent": "$context.identity.userAgent",
}
