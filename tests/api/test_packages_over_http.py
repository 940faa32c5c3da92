"""Dependency packages over HTTP: registered from their own bytes, attached or refused by name, deleted when unused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from dagy.core.names import package_key
from dagy.core.platforms import Platform
from dagy.packages.building import write_package
from dagy.packages.bytecode import Bytecode
from dagy.packages.contents import PackageContents

ARM = Platform("lambda", "arm64", "3.13")
Bring = Callable[..., str]


@pytest.fixture
def bring(deployed: Any, tmp_path: Path) -> Bring:
    """Upload a package of these files and register it; its slug."""

    def bring(
        files: Mapping[str, str],
        *,
        platform: Platform = ARM,
        name: str = "numbers",
        bytecode: Mapping[str, str] | None = None,
        **distributions: str,
    ) -> str:
        contents, data = packed(tmp_path, files, platform, distributions, bytecode)
        reply = register(deployed, contents, data, name=name)
        assert reply.status == 201, reply.body
        return contents.slug

    return bring


def packed(
    folder: Path,
    files: Mapping[str, str],
    platform: Platform = ARM,
    distributions: Mapping[str, str] | None = None,
    bytecode: Mapping[str, str] | None = None,
) -> tuple[PackageContents, bytes]:
    def written(texts: Mapping[str, str]) -> dict[str, Path]:
        paths = {name: folder / f"{number}{Path(name).suffix}" for number, name in enumerate(texts)}
        for name, path in paths.items():
            path.write_text(texts[name])
        return paths

    made = Bytecode("cpython-313", written(bytecode)) if bytecode else None
    path = folder / "package.zip"
    contents = write_package(path, written(files), platform, distributions or {"numbers": "1.0"}, made)
    return contents, path.read_bytes()


def register(stage: Any, contents: PackageContents, data: bytes, *, name: str = "numbers", **changes: str) -> Any:
    body = stage.upload(data, key=package_key(contents.slug)) | {"name": name} | changes
    return stage.client("developer").post("/v1/packages", body)


def attach(stage: Any, *slugs: str, **settings: Any) -> Any:
    body = {"packages": list(slugs), **settings}
    return stage.client("developer").put("/v1/deployments/daily/settings", body)


def test_what_is_registered_is_read_from_the_zip(deployed: Any, tmp_path: Path) -> None:
    files = {"numbers/__init__.py": "one = 1", "numbers-1.0.dist-info/METADATA": "Name: numbers", "fast.py": ""}
    contents, data = packed(tmp_path, files)
    shown = register(deployed, contents, data).json()
    assert shown == deployed.client("viewer").get(f"/v1/packages/{contents.slug}").json()
    assert (shown["slug"], shown["name"], shown["distributions"]) == (contents.slug, "numbers", {"numbers": "1.0"})
    assert shown["modules"] == ["fast", "numbers"]
    assert shown["platform"] == {"system": "lambda", "architecture": "arm64", "python_version": "3.13"}
    assert (shown["file_count"], shown["unpacked_bytes"], shown["size_bytes"]) == (3, 20, len(data))
    assert shown["artifact_s3_uri"].endswith(f"/packages/{contents.slug}.zip") and shown["artifact_exists"]


def test_the_same_contents_again_are_the_same_package_under_its_newest_name(deployed: Any, tmp_path: Path) -> None:
    contents, data = packed(tmp_path, {"a.py": "1"})
    first = register(deployed, contents, data)
    deployed.clock.advance(60)
    again = register(deployed, contents, data, name="other")
    assert (first.status, again.status) == (201, 200)
    assert again.json() == {**first.json(), "name": "other"}
    assert [one["slug"] for one in deployed.client().get("/v1/packages").json()["items"]] == [contents.slug]


def test_packages_are_listed_newest_first_page_by_page(deployed: Any, bring: Bring) -> None:
    slugs = []
    for number in range(3):
        slugs.insert(0, bring({"a.py": str(number)}))
        deployed.clock.advance(1)
    page = deployed.client("viewer").get("/v1/packages", query={"limit": 2}).json()
    rest = deployed.client("viewer").get("/v1/packages", query={"cursor": page["next_cursor"]}).json()
    assert [one["slug"] for one in page["items"] + rest["items"]] == slugs


def test_a_package_under_another_slug_than_its_contents_is_refused(deployed: Any, tmp_path: Path) -> None:
    contents, data = packed(tmp_path, {"a.py": "1"})
    body = deployed.upload(data, key="packages/A1B2C3D4.zip") | {"name": "numbers"}
    refused = deployed.client("developer").post("/v1/packages", body)
    assert refused.status == 422 and f"is {contents.slug}" in refused.error["message"]


@pytest.mark.parametrize(
    "changes, status, words",
    [
        pytest.param({"key": "dagy/flows/x.zip"}, 422, "cannot be at", id="somewhere else"),
        pytest.param({"key": "packages/../runs/A1B2C3D4.zip"}, 422, "cannot be at", id="a key that climbs"),
        pytest.param({"key": "packages/A1B2C3D4.zip"}, 404, "not found", id="nothing uploaded"),
        pytest.param({"sha256": "00" * 32}, 409, "has SHA-256", id="another hash"),
        pytest.param({"sha256": "x"}, 422, "not a SHA-256", id="no hash"),
        pytest.param({"bucket": "other"}, 422, "not this stage's bucket", id="another bucket"),
        pytest.param({"name": "a/b"}, 422, "Invalid package name", id="a name that is none"),
    ],
)
def test_what_is_no_uploaded_package_is_refused(
    deployed: Any, tmp_path: Path, changes: dict[str, str], status: int, words: str
) -> None:
    contents, data = packed(tmp_path, {"a.py": "1"})
    refused = register(deployed, contents, data, **changes)
    assert refused.status == status and words in refused.error["message"]
    assert deployed.client().get("/v1/packages").json()["items"] == []


def test_a_zip_that_is_no_package_is_refused(deployed: Any) -> None:
    for data in (b"no zip", b""):
        body = deployed.upload(data, key="packages/A1B2C3D4.zip") | {"name": "numbers"}
        refused = deployed.client("developer").post("/v1/packages", body)
        assert refused.status == 422 and "Not a readable package" in refused.error["message"]


def test_attached_packages_keep_their_order_and_are_pinned_by_each_run(deployed: Any, bring: Bring) -> None:
    one, two = bring({"a.py": "1"}, a="1"), bring({"b.py": "2"}, b="1")
    assert attach(deployed, two, one.lower()).json()["packages"] == [two, one]
    run = deployed.client("developer").post("/v1/runs", {"deployment": "daily"}).json()
    assert run["packages"] == [two, one]
    assert attach(deployed).json()["packages"] == []
    stored = deployed.ports.runs.get_run(run["run_id"])
    assert [ref.artifact.version_id for ref in stored.packages] == ["v1", "v1"]


def test_an_unknown_package_is_refused_by_name(deployed: Any) -> None:
    refused = attach(deployed, "A1B2C3D4")
    assert refused.status == 404 and "A1B2C3D4" in refused.error["message"]


def test_one_package_twice_and_more_than_ten_are_refused(deployed: Any, bring: Bring) -> None:
    one = bring({"a.py": "1"})
    assert f"{one} is given twice" in attach(deployed, one, one).error["message"]
    assert "11 dependency packages" in attach(deployed, *[f"AAAAAA{n:02}" for n in range(11)]).error["message"]


@pytest.mark.parametrize(
    "platform",
    [Platform("lambda", "x86_64", "3.13"), Platform("lambda", "arm64", "3.12"), Platform("linux", "arm64", "3.13")],
    ids=lambda platform: platform.name,
)
def test_a_package_for_another_platform_is_refused(deployed: Any, bring: Bring, platform: Platform) -> None:
    refused = attach(deployed, bring({"a.py": "1"}, platform=platform))
    assert refused.status == 422
    assert platform.name in refused.error["message"] and ARM.name in refused.error["message"]


def test_one_distribution_in_two_versions_is_refused(deployed: Any, bring: Bring) -> None:
    one = bring({"a.py": "1"}, Some_Dist="1.0")
    two = bring({"b.py": "1"}, **{"some-dist": "2.0"})
    refused = attach(deployed, one, two)
    assert refused.status == 422
    assert f"{one} holds Some_Dist 1.0, {two} holds some-dist 2.0" in refused.error["message"]


def test_one_file_with_two_contents_is_refused_and_with_one_is_fine(deployed: Any, bring: Bring) -> None:
    one = bring({"space/__init__.py": "", "space/a.py": "1"}, a="1")
    two = bring({"space/__init__.py": "", "space/b.py": "1"}, b="1")
    three = bring({"space/__init__.py": "", "space/a.py": "2"}, c="1")
    assert attach(deployed, one, two).status == 200
    refused = attach(deployed, one, two, three)
    assert refused.status == 422 and "both hold space/a.py" in refused.error["message"]
    assert deployed.client().get("/v1/deployments/daily").json()["packages"] == [one, two]


def test_one_module_compiled_by_two_patch_levels_of_python_is_fine(deployed: Any, bring: Bring) -> None:
    one, two = (
        bring({"space/a.py": "1", f"{word}.py": ""}, bytecode={"space/__pycache__/a.cpython-313.pyc": word})
        for word in ("one", "two")
    )
    assert attach(deployed, one, two).status == 200
    shown = deployed.client("viewer").get(f"/v1/packages/{one}").json()
    assert (shown["bytecode"], shown["modules"], shown["file_count"]) == ("cpython-313", ["one", "space"], 3)


def test_what_does_not_fit_the_size_is_refused_also_when_the_size_changes(
    deployed: Any, bring: Bring, tmp_path: Path
) -> None:
    large = deployed.ports.packages.get_package(bring({"a.py": "1"}))
    put = deployed.ports.packages.put_package
    put(type(large)(**{f: getattr(large, f) for f in large.__struct_fields__} | {"unpacked_bytes": 600 * 2**20}))
    refused = attach(deployed, large.slug)
    assert refused.status == 422 and "600 MiB" in refused.error["message"] and "micro" in refused.error["hint"]
    assert attach(deployed, large.slug, execution_mode="small").status == 200
    smaller = deployed.client("developer").put("/v1/deployments/daily/settings", {"execution_mode": "nano"})
    assert smaller.status == 422 and "size 'nano'" in smaller.error["message"]
    put(type(large)(**{f: getattr(large, f) for f in large.__struct_fields__} | {"unpacked_bytes": 1100 * 2**20}))
    assert "1024 MiB fit" in attach(deployed, large.slug, execution_mode="xlarge").error["hint"]


def test_a_package_in_use_is_not_deleted_and_the_deployments_are_named(deployed: Any, bring: Bring) -> None:
    slug = bring({"a.py": "1"})
    attach(deployed, slug)
    developer = deployed.client("developer")
    refused = developer.delete(f"/v1/packages/{slug}")
    assert refused.status == 409 and "daily" in refused.error["message"]
    attach(deployed)
    assert developer.delete(f"/v1/packages/{slug}").status == 204
    assert developer.delete(f"/v1/packages/{slug}").status == 404
    assert not deployed.ports.blobs.exists(package_key(slug))


def test_a_deleted_package_can_be_created_again(deployed: Any, bring: Bring) -> None:
    slug = bring({"a.py": "1"})
    deployed.client("developer").delete(f"/v1/packages/{slug}")
    assert bring({"a.py": "1"}) == slug
    assert attach(deployed, slug).status == 200


def test_of_a_delete_and_an_attachment_that_cross_at_most_one_succeeds(deployed: Any, bring: Bring) -> None:
    """The other's whole request comes between the first one's last look and its write."""
    slug = bring({"a.py": "1"})
    packages, developer = deployed.ports.packages, deployed.client("developer")
    delete = packages.delete_package

    def attach_first(which: str) -> bool:
        packages.delete_package = delete
        assert attach(deployed, slug).status == 200
        return bool(delete(which))

    packages.delete_package = attach_first
    assert developer.delete(f"/v1/packages/{slug}").status == 409
    assert developer.get("/v1/deployments/daily").json()["packages"] == [slug]
    assert developer.get(f"/v1/packages/{slug}").json()["artifact_exists"]

    attach(deployed)
    registry = deployed.ports.registry
    put = registry.put_deployment

    def delete_first(deployment: Any, **how: Any) -> Any:
        registry.put_deployment = put
        assert developer.delete(f"/v1/packages/{slug}").status == 204
        return put(deployment, **how)

    registry.put_deployment = delete_first
    assert attach(deployed, slug).status == 404
    assert developer.get("/v1/deployments/daily").json()["packages"] == []
