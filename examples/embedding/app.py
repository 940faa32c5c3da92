"""Dagy inside a CDK app of your own: in your VPC, under your key, started by a function of yours.

python -m dagy_infra.assets --stage prod
npx cdk deploy --all --app "python app.py"
"""

from __future__ import annotations

from pathlib import Path

from aws_cdk import App, CfnOutput, Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from constructs import Construct

from dagy.core.sizes import Size
from dagy_infra.constructs import DagyPlatform, DagyPlatformProps, Network
from dagy_infra.stages import stage_config


class Warehouse(Stack):
    """Yours. The VPC has no NAT gateway: its endpoints are all that runtimes need, and all that they reach."""

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(scope, construct_id)
        self.key = kms.Key(self, "Key", enable_key_rotation=True)
        self.vpc = ec2.Vpc(
            self,
            "Vpc",
            nat_gateways=0,
            subnet_configuration=[
                ec2.SubnetConfiguration(name="flows", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED, cidr_mask=24)
            ],
        )
        # What runtimes call. The first two cost nothing; the others are billed by the hour.
        self.vpc.add_gateway_endpoint("S3", service=ec2.GatewayVpcEndpointAwsService.S3)
        self.vpc.add_gateway_endpoint("Table", service=ec2.GatewayVpcEndpointAwsService.DYNAMODB)
        self.vpc.add_interface_endpoint("Lambda", service=ec2.InterfaceVpcEndpointAwsService.LAMBDA_)
        self.vpc.add_interface_endpoint("Timers", service=ec2.InterfaceVpcEndpointAwsService.STEP_FUNCTIONS)
        self.lake = s3.Bucket(self, "Lake", enforce_ssl=True, block_public_access=s3.BlockPublicAccess.BLOCK_ALL)


class Platform(Stack):
    def __init__(self, scope: Construct, construct_id: str, *, warehouse: Warehouse) -> None:
        super().__init__(scope, construct_id)
        dagy = DagyPlatform(
            self,
            "Dagy",
            DagyPlatformProps(
                stage=stage_config("prod", sizes=(Size.NANO, Size.SMALL)),
                key=warehouse.key,
                network=Network(warehouse.vpc, ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED)),
            ),
        )
        for runtime in dagy.runtimes.functions.values():
            warehouse.lake.grant_read(runtime.role)  # flows may read the lake

        arrivals = lambda_.Function(
            self,
            "Arrivals",
            runtime=lambda_.Runtime.PYTHON_3_13,
            handler="arrivals.handler",
            code=lambda_.Code.from_asset(str(Path(__file__).with_name("function"))),
            environment={"DAGY_CONTROL_FUNCTION": dagy.control.function.name, "DEPLOYMENT": "sessions"},
        )
        dagy.grant_trigger(arrivals)  # whatever arrives starts a run

        continuous_integration = iam.Role(self, "Ci", assumed_by=iam.AccountRootPrincipal())
        dagy.grant_deploy(continuous_integration)

        cloudwatch.Alarm(
            self,
            "BusyApi",
            metric=dagy.metrics.of_api("Count").with_(period=Duration.minutes(1)),
            threshold=1000,
            evaluation_periods=1,
        )
        CfnOutput(self, "DagyApi", value=dagy.api_url)


def build(app: App) -> None:
    Platform(app, "Platform", warehouse=Warehouse(app, "Warehouse"))


if __name__ == "__main__":
    app = App()
    build(app)
    app.synth()
