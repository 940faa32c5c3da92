"""What every `Registry` promises."""

from __future__ import annotations

import base64
import json

import pytest

from dagy.core.errors import Conflict, InvalidInput
from dagy.core.sizes import Executor, Isolation, Size
from dagy.core.spec import FlowSpec, TaskRunSpec, TaskSpec
from dagy_runtime.values import ArtifactRef, DeploymentStatus, ScheduleSpec


class TestFlows:
    def test_what_was_put_is_got_as_it_was(self, world, make):
        spec = FlowSpec(
            name="etl",
            version="v1",
            created_at="2026-03-04T12:00:00Z",
            tasks={"load": TaskSpec("load", "jobs:load", "lädt ☃", retries=3, retry_delay_seconds=[1, 2.5])},
            task_runs=[TaskRunSpec("load-1", "load", args=[{"$param": "n"}, 1, 1.0, None, ""])],
            outputs={"$ref": "load-1"},
            parameters=[{"name": "n", "type": "int", "required": False, "default": 2**80}],
        )
        flow = make.flow(spec=spec, tags={"team": "data", "größe": ""}, code_hash=None)
        assert world.registry.put_flow(flow) == flow
        assert world.registry.get_flow("etl", "v1") == flow

    def test_an_unknown_flow_or_version_is_none(self, world, make):
        world.registry.put_flow(make.flow())
        assert world.registry.get_flow("etl", "v2") is None
        assert world.registry.get_flow("other", "v1") is None
        assert world.registry.latest_flow("other") is None

    def test_putting_it_again_replaces_everything_but_the_time_of_its_creation(self, world, make):
        world.registry.put_flow(make.flow(tags={"a": "1"}))
        again = make.flow(
            tags={}, code_hash=None, namespace="", created_at=make.at(60), updated_at=make.at(60),
            artifact=ArtifactRef("bucket", "artifacts/new.zip", "00" * 32),
        )  # fmt: skip
        stored = world.registry.put_flow(again)
        assert stored == world.registry.get_flow("etl", "v1")
        assert (stored.created_at, stored.updated_at) == (make.at(0), make.at(60))
        assert (stored.tags, stored.code_hash, stored.artifact) == ({}, None, again.artifact)

    def test_the_latest_flow_is_the_one_registered_last_whatever_its_name(self, world, make):
        for version in ("v9", "v10", "v1"):
            world.registry.put_flow(make.flow(version=version))
        assert world.registry.latest_flow("etl").version == "v1"
        world.registry.put_flow(make.flow(version="v9"))
        assert world.registry.latest_flow("etl").version == "v9"

    def test_a_spec_of_ten_thousand_task_runs_is_kept(self, world, make):
        runs = [TaskRunSpec(f"load-{n}", "load", [f"load-{n - 1}"] if n else [], [n]) for n in range(10_000)]
        spec = FlowSpec("etl", "v1", make.at(0), {"load": TaskSpec("load", "jobs:load")}, runs)
        world.registry.put_flow(make.flow(spec=spec))
        assert world.registry.get_flow("etl", "v1").spec == spec

    def test_flows_are_listed_by_name_then_version_page_by_page(self, world, make, drain):
        names = [("b", "v1"), ("a-b", "v1"), ("a", "v10"), ("a.b", "v1"), ("a", "v2"), ("a", "latest"), ("A", "v1")]
        for name, version in names:
            world.registry.put_flow(make.flow(name, version))
        for limit in (1, 2, 3, 7, 100):
            listed = drain(world.registry.list_flows, limit=limit)
            assert [(flow.name, flow.version) for flow in listed] == sorted(names)

    def test_the_last_page_has_no_cursor(self, world, make):
        for version in ("v1", "v2"):
            world.registry.put_flow(make.flow(version=version))
        assert world.registry.list_flows(limit=1).cursor is not None
        assert world.registry.list_flows(limit=2).cursor is None

    @pytest.mark.parametrize(
        "namespace, tags, expected",
        [
            pytest.param("team", None, ["in", "in/below"], id="a namespace holds itself and what lies below"),
            pytest.param("team/x", None, ["in/below"], id="not what lies above"),
            pytest.param("tea", None, [], id="not by a part of a name"),
            pytest.param("", None, ["beside", "in", "in/below", "root"], id="the root holds everything"),
            pytest.param(None, {"env": "prod"}, ["in", "in/below"], id="a tag"),
            pytest.param(None, {"env": "prod", "tier": "1"}, ["in/below"], id="all tags must match"),
            pytest.param("team", {"env": "dev"}, [], id="both"),
        ],
    )
    def test_a_list_is_filtered_by_namespace_and_tags(self, world, make, drain, namespace, tags, expected):
        for name, where, labels in [
            ("in", "team", {"env": "prod"}),
            ("in/below", "team/x", {"env": "prod", "tier": "1"}),
            ("beside", "team-x", {"env": "dev"}),
            ("root", "", {}),
        ]:
            world.registry.put_flow(make.flow(name, namespace=where, tags=labels))
        for limit in (1, 10):
            listed = drain(world.registry.list_flows, limit=limit, namespace=namespace, tags=tags)
            assert [flow.name for flow in listed] == expected

    def test_the_versions_of_one_flow_are_listed_by_version(self, world, make, drain):
        for name, version in [("etl", "v2"), ("etl", "1.0"), ("etl-b", "v1"), ("et", "v1"), ("etl", "latest")]:
            world.registry.put_flow(make.flow(name, version))
        for limit in (1, 2, 10):
            listed = drain(lambda **given: world.registry.list_flow_versions("etl", **given), limit=limit)
            assert [(flow.name, flow.version) for flow in listed] == [("etl", "1.0"), ("etl", "latest"), ("etl", "v2")]
        assert world.registry.list_flow_versions("e", limit=9).items == ()

    def test_what_a_version_was_with_an_artifact_that_was_replaced_is_still_known(self, world, make):
        old = make.flow(tags={"was": "old"}, artifact=ArtifactRef("bucket", "k.zip", "1" * 64, "s3-1", 10))
        new = make.flow(tags={"is": "new"}, artifact=ArtifactRef("bucket", "k.zip", "2" * 64, "s3-2", 20))
        for flow in (old, new):
            world.registry.put_flow(flow)
        assert world.registry.get_flow_revision("etl", "v1", sha256="1" * 64) == old
        assert world.registry.get_flow_revision("etl", "v1", sha256="2" * 64) == new
        assert world.registry.get_flow_revision("etl", "v2", sha256="2" * 64) is None
        assert [flow.artifact.sha256 for flow in world.registry.list_flows(limit=9).items] == ["2" * 64]

    def test_of_64_registrations_of_one_version_at_once_one_stands_whole(self, world, make, together):
        def put(number):
            sha256 = f"{number:064x}"
            flow = make.flow(
                tags={"n": str(number)},
                artifact=ArtifactRef("bucket", f"{number}.zip", sha256, f"s3-{number}", number),
                code_hash=sha256,
                spec=FlowSpec("etl", "v1", make.at(number), {"load": TaskSpec("load", f"jobs:load_{number}")}),
            )
            return world.registry.put_flow(flow)

        answers = together(put, list(range(64)))
        [stands] = world.registry.list_flows(limit=9).items
        assert stands == world.registry.get_flow("etl", "v1") == world.registry.latest_flow("etl")
        assert stands in answers
        number = int(stands.tags["n"])
        assert stands.artifact == ArtifactRef("bucket", f"{number}.zip", stands.code_hash, f"s3-{number}", number)
        assert stands.spec.tasks["load"].import_path == f"jobs:load_{number}" and int(stands.code_hash, 16) == number


class TestDeployments:
    def test_what_was_put_is_got_as_it_was_with_version_one(self, world, make):
        deployment = make.deployment(
            schedule=ScheduleSpec("*/5 * * * *", "Europe/Athens"),
            default_executor=Executor.ECS,
            status=DeploymentStatus.PAUSED,
            size=Size.XLARGE,
            isolation=Isolation.TASK_ISOLATED,
            tags={"k": "v"},
            parameters={"n": 1, "x": 1.0, "big": 2**70, "text": "☃", "none": None, "list": [1, [2]]},
            packages=("pandas",),
        )
        stored = world.registry.put_deployment(deployment, expected_version=None)
        assert stored.deployment_version == 1
        assert world.registry.get_deployment("nightly") == stored
        assert (stored.schedule, stored.parameters, stored.packages) == (
            deployment.schedule, deployment.parameters, deployment.packages,
        )  # fmt: skip
        assert isinstance(stored.parameters["x"], float)

    def test_each_put_counts_one_version_and_replaces_the_rest_but_its_creation(self, world, make):
        world.registry.put_deployment(
            make.deployment(schedule=ScheduleSpec("rate(1 hour)", "UTC"), packages=("a",)), expected_version=0
        )
        stored = world.registry.put_deployment(make.deployment(created_at=make.at(99)), expected_version=1)
        assert stored == world.registry.get_deployment("nightly")
        assert (stored.deployment_version, stored.schedule, stored.packages) == (2, None, ())
        assert stored.created_at == make.at(0)

    @pytest.mark.parametrize(
        "already, expected_version",
        [
            pytest.param(1, 0, id="it was not to exist and does"),
            pytest.param(0, 1, id="it was to exist and does not"),
            pytest.param(2, 1, id="it was changed since"),
        ],
    )
    def test_a_put_on_top_of_an_unseen_change_is_refused_and_changes_nothing(
        self, world, make, already, expected_version
    ):
        for _ in range(already):
            world.registry.put_deployment(make.deployment(), expected_version=None)
        before = world.registry.get_deployment("nightly")
        with pytest.raises(Conflict, match=f"at version {already}, not {expected_version}"):
            world.registry.put_deployment(make.deployment(size=Size.LARGE), expected_version=expected_version)
        assert world.registry.get_deployment("nightly") == before

    def test_of_16_changes_to_one_version_exactly_one_is_taken(self, world, make, together):
        def put(size):
            try:
                return world.registry.put_deployment(make.deployment(tags={"n": str(size)}), expected_version=0)
            except Conflict:
                return None

        answers = [answer for answer in together(put, list(range(16))) if answer]
        assert answers == [world.registry.get_deployment("nightly")]

    def test_16_puts_that_expect_nothing_are_all_counted(self, world, make, together):
        answers = together(
            lambda _: world.registry.put_deployment(make.deployment(), expected_version=None), list(range(16))
        )
        assert sorted(answer.deployment_version for answer in answers) == list(range(1, 17))

    def test_deployments_are_listed_by_name_of_all_flows_or_one(self, world, make, drain):
        for name, flow_name in [("c", "etl"), ("a", "etl"), ("b", "other"), ("B", "etl")]:
            world.registry.put_deployment(make.deployment(name, flow_name=flow_name), expected_version=None)
        for limit in (1, 2, 9):
            listed = drain(world.registry.list_deployments, limit=limit)
            assert [one.name for one in listed] == ["B", "a", "b", "c"]
            of_flow = drain(world.registry.list_deployments, limit=limit, flow_name="etl")
            assert [one.name for one in of_flow] == ["B", "a", "c"]

    def test_a_deployment_moved_to_another_flow_is_listed_there_only(self, world, make, drain):
        for flow_name in ("etl", "other"):
            world.registry.put_deployment(make.deployment(flow_name=flow_name), expected_version=None)
        assert drain(world.registry.list_deployments, limit=9, flow_name="etl") == []
        assert len(drain(world.registry.list_deployments, limit=9, flow_name="other")) == 1

    def test_deleting_says_whether_it_was_there_and_starts_its_versions_anew(self, world, make):
        world.registry.put_deployment(make.deployment(), expected_version=None)
        world.registry.put_deployment(make.deployment(), expected_version=None)
        assert world.registry.delete_deployment("nightly") is True
        assert world.registry.delete_deployment("nightly") is False
        assert world.registry.get_deployment("nightly") is None
        assert world.registry.put_deployment(make.deployment(), expected_version=0).deployment_version == 1

    def test_each_version_of_a_deployment_is_kept_the_newest_first(self, world, make, drain):
        stored = [
            world.registry.put_deployment(
                make.deployment(
                    tags={"n": str(number)}, parameters={"x": number / 2}, artifact_sha256="ab" * 32, updated_by="ann"
                ),
                expected_version=number,
            )
            for number in range(12)
        ]
        world.registry.put_deployment(make.deployment("other"), expected_version=None)
        for limit in (1, 5, 100):
            listed = drain(lambda **given: world.registry.list_deployment_versions("nightly", **given), limit=limit)
            assert listed == stored[::-1]
        assert [world.registry.get_deployment_version("nightly", number) for number in range(1, 13)] == stored
        assert world.registry.get_deployment_version("nightly", 0) is None
        assert world.registry.get_deployment_version("nightly", 13) is None
        assert world.registry.get_deployment_version("never", 1) is None
        assert world.registry.list_deployment_versions("never", limit=9).items == ()

    def test_a_refused_change_leaves_no_version(self, world, make):
        world.registry.put_deployment(make.deployment(), expected_version=None)
        with pytest.raises(Conflict):
            world.registry.put_deployment(make.deployment(), expected_version=7)
        assert len(world.registry.list_deployment_versions("nightly", limit=9).items) == 1

    def test_the_versions_of_a_deployment_that_was_deleted_are_not_those_of_the_next(self, world, make):
        for number in range(3):
            world.registry.put_deployment(make.deployment(tags={"old": str(number)}), expected_version=None)
        world.registry.delete_deployment("nightly")
        assert world.registry.list_deployment_versions("nightly", limit=9).items == ()
        new = world.registry.put_deployment(make.deployment(created_at=make.at(9)), expected_version=0)
        assert world.registry.list_deployment_versions("nightly", limit=9).items == (new,)
        assert world.registry.get_deployment_version("nightly", 2) is None


class TestCursors:
    @pytest.mark.parametrize("cursor", ["", "x", "not a cursor!", "bnVsbA", "e30", "🦆", "W10"])
    def test_garbage_is_refused(self, world, cursor):
        with pytest.raises(InvalidInput, match="is not a cursor"):
            world.registry.list_flows(limit=1, cursor=cursor)

    @pytest.mark.parametrize("after", ["", "x" * 1025, "\ud800", None, 7, ["x"]])
    def test_a_cursor_made_by_hand_opens_nothing(self, world, make, after):
        for version in ("v1", "v2"):
            world.registry.put_flow(make.flow(version=version))
        given = json.loads(base64.b64decode(world.registry.list_flows(limit=1).cursor + "=="))
        forged = base64.urlsafe_b64encode(json.dumps({**given, "after": after}).encode()).decode()
        with pytest.raises(InvalidInput, match="belongs to another list"):
            world.registry.list_flows(limit=1, cursor=forged.rstrip("="))

    def test_the_cursor_of_another_list_or_other_filters_is_refused(self, world, make):
        for version in ("v1", "v2"):
            world.registry.put_flow(make.flow(version=version))
        cursor = world.registry.list_flows(limit=1).cursor
        with pytest.raises(InvalidInput, match="another list"):
            world.registry.list_deployments(limit=1, cursor=cursor)
        with pytest.raises(InvalidInput, match="other filters"):
            world.registry.list_flows(limit=1, cursor=cursor, namespace="team")
