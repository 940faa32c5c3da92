"""What a stage is made of, read from the templates that are deployed."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import tarfile
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest

from dagy.artifact.packing import MAX_UNPACKED_BYTES
from dagy.core.names import RESERVED_PREFIXES
from dagy.core.offer import MAX_ARTIFACT_BYTES
from dagy.core.sizes import SHAPES, Size
from dagy.manifest import Manifest, parse_manifest
from dagy.version import VERSION
from dagy_infra.app import FEATURE_FLAGS
from dagy_runtime.adapters.aws import schema
from dagy_runtime.worker.payloads import MAX_RESULT_BYTES

SNAPSHOTS = Path(__file__).parent / "snapshots"
# What is billed by the hour, or polls, whether anything runs or not.
ALWAYS_ON = (
    "AWS::ApplicationAutoScaling::",
    "AWS::EC2::NatGateway",
    "AWS::EC2::VPCEndpoint",
    "AWS::ECS::Service",
    "AWS::ElasticLoadBalancing",
    "AWS::Events::Rule",
    "AWS::KMS::Key",
    "AWS::Lambda::EventSourceMapping",
    "AWS::RDS::",
    "AWS::SecretsManager::Secret",
    "AWS::WAFv2::",
)
# Changing one of these ids replaces what must never be replaced.
STATEFUL = {
    "AWS::S3::Bucket": "ArtifactStoreBucket47CE7D81",
    "AWS::DynamoDB::GlobalTable": "RunTableEC064379",
    "AWS::Cognito::UserPool": "UserPoolD097FE67",
}


# These hold no data, but addresses that people have and schedules that nobody would make again.
REPLACED_BY_NOBODY = {
    "AWS::ApiGatewayV2::Api": "ApiHttpApi2997B86B",
    "AWS::Scheduler::ScheduleGroup": "SchedulingGroupF9AE2582",
}


def test_the_two_templates_are_as_reviewed(dev) -> None:
    """A deliberate change: delete the snapshot, run again, and read the diff before committing it."""
    for template, name in ((dev.data, "data"), (dev.app, "app")):
        text = json.dumps(_normalised(template), indent=1, sort_keys=True) + "\n"
        snapshot = SNAPSHOTS / f"{name}.json"
        if not snapshot.exists():
            snapshot.parent.mkdir(exist_ok=True)
            snapshot.write_text(text)
        assert text == snapshot.read_text(), f"the {name} stack differs from {snapshot.name}"


def _normalised(template: dict) -> dict:
    """Without what changes with every release: the hashes of the zips and the version."""
    text = json.dumps(template).replace(VERSION, "<version>")
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Lambda::Function":
            text = text.replace(resource["Properties"]["Code"]["S3Key"], "<zip>")
    kept = json.loads(text)
    kept["Resources"].pop("CDKMetadata", None)
    for section in ("Parameters", "Rules"):
        kept.pop(section, None)
    return kept


@pytest.mark.parametrize("stage", ["dev", "prod", "local", "tailored"])
def test_stateful_resources_keep_their_ids_and_outlive_their_stack(stage: str, request: pytest.FixtureRequest) -> None:
    synthesised = request.getfixturevalue(stage)
    for kind, logical_id in STATEFUL.items():
        found = dict(synthesised.resources(kind))
        assert list(found) == [logical_id]
        assert found[logical_id]["DeletionPolicy"] == found[logical_id]["UpdateReplacePolicy"] == "Retain"
    for kind, logical_id in REPLACED_BY_NOBODY.items():
        assert list(dict(synthesised.resources(kind))) == [logical_id]


@pytest.mark.parametrize("stage", ["dev", "prod", "local", "tailored"])
def test_nothing_is_always_on(stage: str, request: pytest.FixtureRequest) -> None:
    for logical_id, resource in request.getfixturevalue(stage).resources():
        assert not resource["Type"].startswith(ALWAYS_ON) or resource["Type"] == "AWS::Scheduler::ScheduleGroup", (
            logical_id
        )
        properties = resource.get("Properties", {})
        assert "ProvisionedConcurrencyConfig" not in properties
        assert "ReservedConcurrentExecutions" not in properties
        assert properties.get("BillingMode", "PAY_PER_REQUEST") == "PAY_PER_REQUEST"


def test_the_six_runtimes_differ_in_memory_and_nothing_else(dev) -> None:
    runtimes = {}
    for logical_id, function in dev.resources("AWS::Lambda::Function"):
        properties = function["Properties"]
        variables = properties["Environment"]["Variables"]
        if "DAGY_SIZE" in variables:
            size = Size(variables.pop("DAGY_SIZE"))
            assert properties.pop("MemorySize") == SHAPES[size].lambda_memory_mib
            text = json.dumps(properties).replace(size.value.capitalize(), "<Size>").replace(size.value, "<size>")
            properties = json.loads(text)
            # Ids end in hashes of their paths.
            for key in ("Role", "LoggingConfig"):
                properties.pop(key)
            runtimes[size] = properties
            assert "Runtimes" in logical_id
    assert set(runtimes) == set(Size)
    assert all(properties == runtimes[Size.NANO] for properties in runtimes.values())


def test_a_stage_can_do_without_some_sizes(synthesise: Callable) -> None:
    """New AWS accounts get no functions above 3008 MiB."""
    stage = synthesise("dev", sizes="micro,nano")
    functions = {key: value["Properties"] for key, value in stage.resources("AWS::Lambda::Function")}
    runtimes = {key for key in functions if key.startswith("Runtimes")}
    assert sorted(functions[key]["MemorySize"] for key in runtimes) == [256, 512]
    for name in ("Api", "Control"):
        [variables] = [f["Environment"]["Variables"] for key, f in functions.items() if key.startswith(name)]
        parts = variables["DAGY_RUNTIMES"]["Fn::Join"][1]
        names = "".join(part if isinstance(part, str) else part["Ref"] for part in parts)
        assert {json.loads(names)[size] for size in ("nano", "micro")} == runtimes
    [(_, parameter)] = stage.resources("AWS::SSM::Parameter")
    value = "".join(p if isinstance(p, str) else "~" for p in parameter["Properties"]["Value"]["Fn::Join"][1])
    assert parse_manifest(value).sizes == ("nano", "micro")
    assert stage.app["Outputs"]["Sizes"]["Value"] == "nano,micro"


def test_the_disk_of_a_runtime_holds_the_largest_artifact_and_result(dev) -> None:
    """The zip, what it unpacks to and a result on its way; and half a GiB for what the flow itself writes."""
    needed_mib = (MAX_ARTIFACT_BYTES + MAX_UNPACKED_BYTES + MAX_RESULT_BYTES) // 2**20 + 512
    sizes = {
        key.startswith("Runtimes"): function["Properties"]["EphemeralStorage"]["Size"]
        for key, function in dev.resources("AWS::Lambda::Function")
    }
    assert sizes[True] >= needed_mib
    assert sizes[False] == 512  # Lambda charges nothing for these


def test_asynchronous_work_is_retried_twice_and_then_looked_after(dev) -> None:
    functions = {key: value["Properties"] for key, value in dev.resources("AWS::Lambda::Function")}
    control = next(key for key in functions if key.startswith("Control"))
    failures = next(key for key in functions if key.startswith("Failures"))
    queue = next(key for key, _ in dev.resources("AWS::SQS::Queue"))
    destinations = {}
    for _, config in dev.resources("AWS::Lambda::EventInvokeConfig"):
        properties = config["Properties"]
        assert properties["MaximumRetryAttempts"] == 2
        destination = properties["DestinationConfig"]["OnFailure"]["Destination"]["Fn::GetAtt"][0]
        destinations[properties["FunctionName"]["Ref"]] = destination
    runtimes = {key for key in functions if key.startswith("Runtimes")}
    assert destinations == {**dict.fromkeys([*runtimes, control], failures), failures: queue}


def test_no_function_is_stopped_for_calling_itself(dev) -> None:
    assert {f["Properties"]["RecursiveLoop"] for _, f in dev.resources("AWS::Lambda::Function")} == {"Allow"}


def test_every_log_is_kept_for_a_while_and_no_longer(prod, dev) -> None:
    for stage, days in ((dev, 7), (prod, 90)):
        assert {g["Properties"]["RetentionInDays"] for _, g in stage.resources("AWS::Logs::LogGroup")} == {days}
        groups = {key for key, _ in stage.resources("AWS::Logs::LogGroup")}
        for _, function in stage.resources("AWS::Lambda::Function"):
            assert function["Properties"]["LoggingConfig"]["LogGroup"]["Ref"] in groups


def test_buckets_are_private_versioned_and_reached_over_tls_only(dev) -> None:
    [(_, bucket)] = dev.resources("AWS::S3::Bucket")
    properties = bucket["Properties"]
    assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
    assert properties["VersioningConfiguration"] == {"Status": "Enabled"}
    assert properties["BucketEncryption"]
    [(_, policy)] = dev.resources("AWS::S3::BucketPolicy")
    [statement] = policy["Properties"]["PolicyDocument"]["Statement"]
    assert statement["Effect"] == "Deny"
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


@pytest.mark.parametrize("stage", ["dev", "prod", "local"])
def test_only_data_of_runs_expire_never_a_version_of_an_artifact(stage: str, request: pytest.FixtureRequest) -> None:
    """An upload whose registration failed leaves the registered artifact as an old version of its key."""
    [(_, bucket)] = request.getfixturevalue(stage).resources("AWS::S3::Bucket")
    expiring = ("Expiration", "ExpirationInDays", "NoncurrentVersionExpiration", "NoncurrentVersionExpirationInDays")
    prefixes = set()
    for rule in bucket["Properties"]["LifecycleConfiguration"]["Rules"]:
        if any(key.startswith(expiring) for key in rule):
            prefixes.add(rule["Prefix"])
    assert prefixes == {f"{prefix}/" for prefix in RESERVED_PREFIXES}


@pytest.mark.parametrize(
    "stage, name",
    [
        pytest.param("dev", "dagy-artifacts-{account}-{region}", id="the default stage has the documented name"),
        pytest.param("prod", "dagy-artifacts-{account}-{region}-prod", id="others carry theirs"),
    ],
)
def test_the_artifact_bucket_is_found_by_its_name(stage: str, name: str, request: pytest.FixtureRequest) -> None:
    [(_, bucket)] = request.getfixturevalue(stage).resources("AWS::S3::Bucket")
    parts = [
        part if isinstance(part, str) else part["Ref"] for part in bucket["Properties"]["BucketName"]["Fn::Join"][1]
    ]
    assert "".join(parts) == name.format(account="AWS::AccountId", region="AWS::Region")


def test_the_table_is_the_one_the_adapter_reads(dev) -> None:
    [(_, table)] = dev.resources("AWS::DynamoDB::GlobalTable")
    properties, wanted = table["Properties"], schema.table_definition()
    assert properties["KeySchema"] == wanted["KeySchema"]
    assert properties["TimeToLiveSpecification"] == {"AttributeName": schema.TTL_ATTRIBUTE, "Enabled": True}
    assert properties["GlobalSecondaryIndexes"] == wanted["GlobalSecondaryIndexes"]
    by_name = sorted(wanted["AttributeDefinitions"], key=lambda entry: entry["AttributeName"])
    assert sorted(properties["AttributeDefinitions"], key=lambda entry: entry["AttributeName"]) == by_name


def test_data_outside_dev_are_protected_twice(prod, dev) -> None:
    for synthesised, is_protected in ((prod, True), (dev, False)):
        [(_, table)] = synthesised.resources("AWS::DynamoDB::GlobalTable")
        [replica] = table["Properties"]["Replicas"]
        assert replica["DeletionProtectionEnabled"] is is_protected
        assert replica["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
        assembly = json.loads((synthesised.folder / "manifest.json").read_text())
        properties = assembly["artifacts"][synthesised.stage.data_stack]["properties"]
        assert properties.get("terminationProtection", False) is is_protected


def test_the_manifest_says_where_everything_is_and_the_outputs_repeat_it(dev) -> None:
    [(_, parameter)] = dev.resources("AWS::SSM::Parameter")
    assert parameter["Properties"]["Name"] == "/dagy/dev/manifest"
    text = "".join(p if isinstance(p, str) else "~" for p in parameter["Properties"]["Value"]["Fn::Join"][1])
    manifest = json.loads(text)
    assert set(manifest) <= {field.name for field in fields(Manifest)}
    outputs = {name.lower() for name in dev.app["Outputs"]}
    assert {name.replace("_", "") for name in manifest} <= outputs


def test_stages_share_nothing(prod, dev) -> None:
    """Physical names and exports are what two stages of one account could collide on."""
    for kind, name in (("AWS::S3::Bucket", "BucketName"), ("AWS::SSM::Parameter", "Name")):
        assert {json.dumps(r["Properties"][name]) for _, r in dev.resources(kind)}.isdisjoint(
            {json.dumps(r["Properties"][name]) for _, r in prod.resources(kind)}
        )
    named = ("FunctionName", "RoleName", "TableName", "QueueName", "LogGroupName", "StateMachineName")
    for _, resource in dev.resources():
        if resource["Type"] != "AWS::Lambda::EventInvokeConfig" and resource["Type"] != "AWS::Lambda::Permission":
            assert not set(named) & set(resource.get("Properties", {}))
    exports = [{o["Export"]["Name"] for o in s.data["Outputs"].values() if "Export" in o} for s in (dev, prod)]
    assert exports[0].isdisjoint(exports[1])


def test_synthesis_is_quiet_and_the_same_every_time(dev, synthesise: Callable) -> None:
    again = synthesise("dev")
    assert again.data == dev.data
    assert again.app == dev.app
    assert dev.stderr == ""


def test_every_recommended_feature_flag_is_set() -> None:
    found = importlib.util.find_spec("aws_cdk")
    assert found is not None
    assert found.origin is not None
    [library] = Path(found.origin).parent.glob("_jsii/aws-cdk-lib@*.tgz")
    with tarfile.open(library) as archive:
        file = archive.extractfile("package/recommended-feature-flags.json")
        assert file is not None
        assert json.loads(FEATURE_FLAGS.read_text()) == json.load(file)


def test_cfn_lint_finds_nothing(prod, local, tailored) -> None:
    """Stage dev is prod without alarms. W3005 is about dependencies that the CDK itself writes down twice."""
    templates = [str(path) for stage in (prod, local, tailored) for path in stage.folder.glob("*-App.template.json")]
    templates += [str(path) for stage in (prod, tailored) for path in stage.folder.glob("*-Data.template.json")]
    assert len(templates) == 5
    done = subprocess.run(
        [Path(sys.executable).with_name("cfn-lint"), "-r", "us-east-1", "-i", "W3005", "--", *templates],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout + done.stderr == ""
