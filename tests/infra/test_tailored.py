"""What a stage is made of when it was told to be otherwise: its key, network, domain, boundary, tags, tracing."""

from __future__ import annotations

import json
from typing import Any

from dagy.version import VERSION


def test_everything_that_holds_data_is_encrypted_with_the_key(tailored) -> None:
    [(_, bucket)] = tailored.resources("AWS::S3::Bucket")
    [rule] = bucket["Properties"]["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"] == {
        "KMSMasterKeyID": tailored.stage.settings.kms_key_arn,
        "SSEAlgorithm": "aws:kms",
    }
    assert rule["BucketKeyEnabled"] is True
    [(_, table)] = tailored.resources("AWS::DynamoDB::GlobalTable")
    assert table["Properties"]["SSESpecification"] == {"SSEEnabled": True, "SSEType": "KMS"}
    assert table["Properties"]["Replicas"][0]["SSESpecification"] == {
        "KMSMasterKeyId": tailored.stage.settings.kms_key_arn
    }
    [(_, queue)] = tailored.resources("AWS::SQS::Queue")
    assert queue["Properties"]["KmsMasterKeyId"] == tailored.stage.settings.kms_key_arn
    assert {group["Properties"]["KmsKeyId"] for _, group in tailored.resources("AWS::Logs::LogGroup")} == {
        tailored.stage.settings.kms_key_arn
    }


def test_functions_and_containers_may_use_the_key_through_the_services_that_hold_data_only(tailored) -> None:
    functions = [key for key, _ in tailored.resources("AWS::Lambda::Function")]
    using = [s for s in _statements(tailored) if s.get("Sid") == "UseKeyOfData"]
    assert len(using) == len(functions) + 1 == 10
    for statement in using:
        assert statement["Resource"] == tailored.stage.settings.kms_key_arn
        services = json.dumps(statement["Condition"]["StringEquals"]["kms:ViaService"])
        assert [name for name in ("dynamodb.", "s3.", "sqs.") if name in services] == ["dynamodb.", "s3.", "sqs."]


def test_only_runtimes_are_in_the_vpc(tailored) -> None:
    for key, function in tailored.resources("AWS::Lambda::Function"):
        place = function["Properties"].get("VpcConfig")
        expected = {
            "SubnetIds": list(tailored.stage.settings.subnet_ids),
            "SecurityGroupIds": list(tailored.stage.settings.security_group_ids),
        }
        assert place == (expected if key.startswith("Runtimes") else None)


def test_lambda_may_attach_runtimes_to_the_network_and_flows_may_not(tailored) -> None:
    """Lambda asks for the right before it makes the function, so the function waits for it."""
    policies = dict(tailored.resources("AWS::IAM::Policy"))
    runtimes = {k: f for k, f in tailored.resources("AWS::Lambda::Function") if k.startswith("Runtimes")}
    for key, function in runtimes.items():
        [network] = [name for name in function["DependsOn"] if "Network" in name]
        [allowed] = policies[network]["Properties"]["PolicyDocument"]["Statement"]
        denials = [s for s in _statements(tailored) if s.get("Sid") == "CodeAttachesNothing" and key in json.dumps(s)]
        [denied] = denials
        assert (allowed["Effect"], denied["Effect"]) == ("Allow", "Deny")
        assert allowed["Action"] == denied["Action"]
        assert denied["Condition"] == {"ArnEquals": {"lambda:SourceFunctionArn": {"Fn::GetAtt": [key, "Arn"]}}}


def test_the_api_has_the_domain_and_the_manifest_says_so(tailored) -> None:
    [(name_id, name)] = tailored.resources("AWS::ApiGatewayV2::DomainName")
    [configuration] = name["Properties"]["DomainNameConfigurations"]
    assert configuration["SecurityPolicy"] == "TLS_1_2"
    assert configuration["CertificateArn"] == tailored.stage.settings.certificate_arn
    [(_, record)] = tailored.resources("AWS::Route53::RecordSet")
    assert record["Properties"]["AliasTarget"]["DNSName"] == {"Fn::GetAtt": [name_id, "RegionalDomainName"]}
    assert record["Properties"]["HostedZoneId"] == tailored.stage.settings.hosted_zone_id
    assert tailored.app["Outputs"]["ApiUrl"]["Value"] == "https://dagy.example.com"


def test_every_role_has_the_boundary(tailored, prod) -> None:
    for _, role in tailored.resources("AWS::IAM::Role"):
        assert "policy/Developers" in json.dumps(role["Properties"]["PermissionsBoundary"])
    assert not [r for _, r in prod.resources("AWS::IAM::Role") if "PermissionsBoundary" in r["Properties"]]


def test_everything_that_costs_something_is_tagged_for_the_bill(tailored, prod) -> None:
    kinds = [
        "AWS::ApiGatewayV2::Api", "AWS::DynamoDB::GlobalTable", "AWS::Lambda::Function", "AWS::Logs::LogGroup",
        "AWS::S3::Bucket", "AWS::SQS::Queue", "AWS::StepFunctions::StateMachine",
    ]  # fmt: skip
    components = set()
    for kind in kinds:
        for _, resource in tailored.resources(kind):
            tags = _tags(resource["Properties"])
            assert tags["dagy:stage"] == "prod"
            assert tags["dagy:version"] == VERSION
            assert (tags["team"], tags["cost-centre"]) == ("data", "42")
            components.add(tags["dagy:component"])
    containers = {"container-machine", "containers"}
    assert components - containers == {
        "api", "control", "failures", "runtime", "store", "table", "task-machine", "timer"
    }  # fmt: skip
    assert components > containers
    sizes = {_tags(f["Properties"]).get("dagy:size") for _, f in prod.resources("AWS::Lambda::Function")}
    assert sizes == {"nano", "micro", "small", "medium", "large", "xlarge", None}


def test_traces_are_sent_only_where_asked_for(tailored, prod) -> None:
    modes = {f["Properties"]["TracingConfig"]["Mode"] for _, f in tailored.resources("AWS::Lambda::Function")}
    assert modes == {"Active"}
    assert not [f for _, f in prod.resources("AWS::Lambda::Function") if "TracingConfig" in f["Properties"]]


def test_logs_and_runs_stay_as_long_as_told(tailored) -> None:
    assert {g["Properties"]["RetentionInDays"] for _, g in tailored.resources("AWS::Logs::LogGroup")} == {365}
    [(_, bucket)] = tailored.resources("AWS::S3::Bucket")
    [rule] = [r for r in bucket["Properties"]["LifecycleConfiguration"]["Rules"] if r["Id"] == "expire-runs"]
    assert rule["ExpirationInDays"] == 400


def _statements(synthesised) -> list[dict[str, Any]]:
    policies = [r["Properties"]["PolicyDocument"] for _, r in synthesised.resources("AWS::IAM::Policy")]
    return [statement for policy in policies for statement in policy["Statement"]]


def _tags(properties: dict[str, Any]) -> dict[str, str]:
    tags = properties.get("Tags") or properties.get("Replicas", [{}])[0].get("Tags", [])
    return dict(tags) if isinstance(tags, dict) else {tag["Key"]: tag["Value"] for tag in tags}
