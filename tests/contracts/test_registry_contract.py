"""What every `Registry` promises."""

from __future__ import annotations

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


class TestCursors:
    @pytest.mark.parametrize("cursor", ["", "x", "not a cursor!", "bnVsbA", "e30", "🦆", "W10"])
    def test_garbage_is_refused(self, world, cursor):
        with pytest.raises(InvalidInput, match="is not a cursor"):
            world.registry.list_flows(limit=1, cursor=cursor)

    def test_the_cursor_of_another_list_or_other_filters_is_refused(self, world, make):
        for version in ("v1", "v2"):
            world.registry.put_flow(make.flow(version=version))
        cursor = world.registry.list_flows(limit=1).cursor
        with pytest.raises(InvalidInput, match="another list"):
            world.registry.list_deployments(limit=1, cursor=cursor)
        with pytest.raises(InvalidInput, match="other filters"):
            world.registry.list_flows(limit=1, cursor=cursor, namespace="team")
