"""What a run gets of its deployment's dependency packages, and what it can do to them."""

from __future__ import annotations

import errno
import os
import zipfile
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from dagy.core.platforms import Platform
from dagy.core.sizes import Isolation
from dagy.core.states import Status
from dagy_runtime.engine.advance import Finished
from dagy_runtime.engine.package_cache import PackageCache
from dagy_runtime.values import Package, Run

FLOW = """
    from dagy import flow, task

    @task
    def evaluate(code: str) -> object:
        import sys
        found = {"sys": sys}
        exec(code, found)
        return found["x"]

    @flow
    def asks(code: str):
        return evaluate(code)
"""


def run(stage: Any, code: str, packages: Sequence[Package], **how: Any) -> Run:
    """Run the code with these packages, attached in this order."""
    flow = stage.deploy(FLOW)
    deployment = stage.deployment(flow, schedule=None, packages=tuple(package.slug for package in packages))
    run_id = stage.submit(flow, {"code": code}, deployment=deployment)
    stage.advance(run_id, **how)
    found: Run = stage.run(run_id)
    return found


def answer(stage: Any, code: str, packages: Sequence[Package], **how: Any) -> Any:
    done = run(stage, code, packages, **how)
    assert done.status is Status.SUCCEEDED, done.problem
    return stage.result(done.id)


class Counting:
    """Blobs that note which packages are downloaded."""

    def __init__(self, blobs: Any) -> None:
        self._blobs = blobs
        self.downloads: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._blobs, name)

    def get_file(self, key: str, path: Path, **how: Any) -> Any:
        if key.startswith("packages/"):
            self.downloads.append(key)
        return self._blobs.get_file(key, path, **how)


def counting(stage: Any) -> tuple[Any, list[str]]:
    blobs = Counting(stage.ports.blobs)
    return replace(stage.ports, blobs=blobs), blobs.downloads


def test_a_run_imports_from_its_packages_and_another_does_not(stage):
    package = stage.register_package({"numbers_x/__init__.py": "one = 1"})
    assert answer(stage, "from numbers_x import one as x", [package]) == 1
    assert run(stage, "from numbers_x import one as x", []).problem.error_type == "ModuleNotFoundError"


def test_a_warm_function_downloads_a_package_once(stage):
    one, two = (stage.register_package({f"module_{n}.py": f"x = '{n}'"}) for n in "ab")
    ports, downloads = counting(stage)
    assert answer(stage, "from module_a import x", [one], ports=ports) == "a"
    first = stage.submit(stage.deploy(FLOW), {"code": "x = 1"})
    assert answer(stage, "from module_a import x", [one], ports=ports) == "a"
    assert answer(stage, "from module_b import x", [two, one], ports=ports) == "b"
    assert downloads == [one.artifact.key, two.artifact.key]
    assert "packages_fetched" not in stage.events(first)


def test_of_two_packages_the_one_attached_first_is_imported_and_the_flows_own_code_before_both(stage):
    one, two = (stage.register_package({"module_a.py": f"x = {n}", "the_flow.py": "raise SystemExit"}) for n in (1, 2))
    assert answer(stage, "from module_a import x", [one, two]) == 1
    assert answer(stage, "from module_a import x", [two, one]) == 2


def test_packages_come_behind_the_standard_library_and_dagys_own_modules_but_before_boto3(stage):
    package = stage.register_package(
        {
            "json/__init__.py": "raise SystemExit",
            "msgspec/__init__.py": "raise SystemExit",
            "dagy/__init__.py": "raise SystemExit",
            "boto3/__init__.py": "x = 'from the package'",
            "fastjsonschema/__init__.py": "x = 1",
        }
    )
    import boto3  # as the engine's process has, before it forks

    assert boto3.__version__
    assert answer(stage, "import json, msgspec, dagy; x = dagy.__name__ + json.dumps(1)", [package]) == "dagy1"
    assert answer(stage, "from boto3 import x", [package]) == "from the package"
    assert answer(stage, "import boto3; x = bool(boto3.__version__)", []) is True


def test_what_a_package_does_when_it_is_imported_ends_with_the_run(stage):
    package = stage.register_package(
        {"module_a.py": "import os, sys\nsys.modules['dagy_runtime'] = None\nos.kill(os.getpid(), 9)"}
    )
    broken = run(stage, "import module_a", [package])
    assert broken.status is Status.FAILED
    assert answer(stage, "x = 1", []) == 1


def test_processes_that_a_task_starts_find_the_packages(stage):
    package = stage.register_package({"module_a.py": "print('found')"})
    code = (
        "import subprocess; "
        "x = subprocess.run([sys.executable, '-m', 'module_a'], capture_output=True, text=True).stdout"
    )
    assert answer(stage, code, [package]) == "found\n"
    ports, downloads = counting(stage)
    assert answer(stage, code, [package], ports=ports) == "found\n"
    assert downloads == []


TOUCH = "import module_a, os; from pathlib import Path; p = Path(module_a.__file__); d = p.parent; os.chmod(d, 0o700); "


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("os.chmod(p, 0o600); p.write_text('x = 2')", id="another content"),
        pytest.param(
            "s = p.stat(); os.chmod(p, 0o600); p.write_text('x = 2'); os.chmod(p, 0o400); os.chmod(d, 0o500); "
            "os.utime(p, ns=(s.st_atime_ns, s.st_mtime_ns))",
            id="another content and the same times",
        ),
        pytest.param("(d / 'new').write_text('x = 2'); (d / 'new').rename(p)", id="another file in its place"),
        pytest.param("(d / 'module_b.py').write_text('x = 2')", id="one more file"),
        pytest.param("p.unlink()", id="one file less"),
        pytest.param("import shutil; shutil.rmtree(d)", id="nothing left"),
        pytest.param("d.rename(d.with_name('moved')); d.symlink_to(d.with_name('moved'))", id="a link in its place"),
    ],
)
def test_a_package_that_a_flow_changed_is_fetched_again(stage, code):
    package = stage.register_package({"module_a.py": "x = 1", "other/b.py": ""})
    assert run(stage, f"{TOUCH}{code}; x = 1", [package]).status is Status.SUCCEEDED
    ports, downloads = counting(stage)
    assert answer(stage, "from module_a import x", [package], ports=ports) == 1
    assert run(stage, "import module_b", [package]).problem.error_type == "ModuleNotFoundError"
    assert downloads == [package.artifact.key]


def test_only_reading_changes_nothing(stage):
    package = stage.register_package({"pack/__init__.py": "from pack.a import x", "pack/a.py": "x = 1"})
    ports, downloads = counting(stage)
    for _ in range(2):
        assert answer(stage, "from pack import x; import importlib.resources", [package], ports=ports) == 1
    assert len(downloads) == 1


def test_a_package_that_is_deleted_after_the_run_was_submitted_is_still_there_for_it(stage):
    package = stage.register_package({"module_a.py": "x = 1"})
    flow = stage.deploy(FLOW)
    deployment = stage.deployment(flow, packages=(package.slug,))
    run_id = stage.submit(flow, {"code": "from module_a import x"}, deployment=deployment)
    stage.ports.packages.delete_package(package.slug)
    stage.ports.blobs.delete(package.artifact.key)
    assert stage.advance(run_id) == Finished(Status.SUCCEEDED)


class Spoilt(Counting):
    """Blobs that hand over something else for a package."""

    def __init__(self, blobs: Any, data: bytes | None) -> None:
        super().__init__(blobs)
        self._data = data

    def get_file(self, key: str, path: Path, **how: Any) -> Any:
        if self._data is not None and key.startswith("packages/"):
            path.write_bytes(self._data)
            return "00" * 32
        return super().get_file(key, path, **how)


def test_a_package_that_is_gone_or_changed_fails_the_run_by_name(stage):
    package = stage.register_package({"module_a.py": "x = 1"})
    changed = run(stage, "x = 1", [package], ports=replace(stage.ports, blobs=Spoilt(stage.ports.blobs, b"other")))
    assert (changed.status, changed.problem.error_type) == (Status.FAILED, "PackageMismatch")
    assert package.slug in changed.problem.message and package.artifact.sha256 in changed.problem.message

    elsewhere = replace(package, artifact=replace(package.artifact, version_id="v9"))
    stage.ports.packages.put_package(elsewhere)
    gone = run(stage, "x = 1", [package])
    assert (gone.status, gone.problem.error_type) == (Status.FAILED, "PackageGone")
    assert package.slug in gone.problem.message and "v9" in gone.problem.message


def test_a_package_for_another_python_fails_the_run_by_name(stage):
    package = stage.register_package({"module_a.py": "x = 1"}, platform=Platform("lambda", "arm64", "3.99"))
    done = run(stage, "x = 1", [package])
    assert done.problem.error_type == "PackageMismatch" and "lambda-arm64-python3.99" in done.problem.message


def test_a_zip_that_lies_about_its_files_is_not_extracted(stage):
    package = stage.register_package({"module_a.py": "x = 1"})
    data = BytesIO()
    with (
        zipfile.ZipFile(BytesIO(stage.ports.blobs.get(package.artifact.key))) as honest,
        zipfile.ZipFile(data, "w") as lie,
    ):
        lie.writestr("module_a.py", b"x = 2")
        lie.writestr("dagy-package.json", honest.read("dagy-package.json"))
    stage.ports.blobs.put(package.artifact.key, data.getvalue())
    forged = stage.ports.blobs.find_artifact(stage.ports.blobs.bucket, package.artifact.key, None)
    stage.ports.packages.put_package(replace(package, artifact=forged))
    done = run(stage, "x = 1", [package])
    assert done.status is Status.FAILED and package.slug in done.problem.message
    assert "module_a.py" in done.problem.message and "SHA-256 differs" in done.problem.message


class SmallDisk(Counting):
    """A disk on which packages do not fit until the cache has made room."""

    def __init__(self, blobs: Any, roots: Path, room: int) -> None:
        super().__init__(blobs)
        self._roots, self._room = roots, room

    def get_file(self, key: str, path: Path, **how: Any) -> Any:
        if key.startswith("packages/"):
            standing = [folder for folder in path.parent.iterdir() if folder.is_dir()]
            if len(standing) >= self._room:
                path.write_bytes(b"half of it")
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().get_file(key, path, **how)


def test_on_a_full_disk_packages_that_this_run_does_not_need_make_room(stage, tmp_path):
    packages = [stage.register_package({f"module_{n}.py": f"x = {n}"}) for n in range(3)]
    ports = replace(stage.ports, blobs=SmallDisk(stage.ports.blobs, tmp_path, room=2))
    assert answer(stage, "x = 1", packages[:2], ports=ports) == 1
    assert answer(stage, "from module_2 import x", packages[1:], ports=ports) == 2
    done = run(stage, "x = 1", packages, ports=ports)
    assert (done.status, done.problem.error_type) == (Status.FAILED, "NoRoom")
    assert packages[0].slug in done.problem.message and "No space left" in done.problem.message
    assert answer(stage, "from module_1 import x", [packages[1]], ports=ports) == 1


def test_above_its_limit_the_package_used_longest_ago_goes(stage):
    packages = [stage.register_package({f"module_{n}.py": "x = 1" + " " * 1000}) for n in range(3)]
    stage.cache = PackageCache(max_bytes=2500, platform=packages[0].platform)
    ports, downloads = counting(stage)
    for number in (0, 1, 0, 2, 0, 1):
        assert answer(stage, "x = 1", [packages[number]], ports=ports) == 1
    assert downloads == [packages[n].artifact.key for n in (0, 1, 2, 1)]


def test_a_function_that_dies_while_it_unpacks_leaves_no_half_package(stage):
    package = stage.register_package({f"module_{n}.py": f"x = {n}" for n in range(50)})

    class Killed(BaseException):
        pass

    pulses = iter(range(20))

    def pulse() -> None:
        if next(pulses, None) is None:
            raise Killed

    flow = stage.deploy(FLOW)
    run_id = stage.submit(flow, {"code": "x = 1"}, deployment=stage.deployment(flow, packages=(package.slug,)))
    with pytest.raises(Killed):
        stage.cache.provide(stage.ports.blobs, stage.run(run_id).packages, pulse=pulse)
    assert answer(stage, "from module_49 import x", [package]) == 49


def test_a_schedule_whose_package_is_gone_makes_a_run_that_says_so(stage):
    from dagy_runtime.engine.submit import fire_schedule
    from dagy_runtime.messages import FireSchedule

    package = stage.register_package({"module_a.py": "x = 1"})
    flow = stage.deploy(FLOW)
    stage.deployment(flow, packages=(package.slug,), parameters={"code": "x = 1"})
    stage.ports.packages.delete_package(package.slug)
    fired = fire_schedule(stage.ports, FireSchedule(flow.name, "2026-03-04T12:00:00Z"))
    assert fired.creation.run.status is Status.FAILED
    assert package.slug in fired.creation.run.problem.message


def test_importing_costs_no_engine_its_memory_of_modules(stage):
    """The engine's own process imports nothing of a package."""
    import sys

    package = stage.register_package({"module_only_here.py": "x = 1"})
    before: Mapping[str, Any] = dict(sys.modules)
    path = list(sys.path)
    assert answer(stage, "from module_only_here import x", [package]) == 1
    assert "module_only_here" not in sys.modules and sys.path == path
    assert before.keys() <= sys.modules.keys()


def test_each_task_of_an_isolated_run_gets_the_packages(stage):
    package = stage.register_package({"module_a.py": "x = 5"})
    flow = stage.deploy(FLOW)
    run_id = stage.submit(
        flow,
        {"code": "from module_a import x"},
        deployment=stage.deployment(flow, packages=(package.slug,)),
        isolation=Isolation.TASK_ISOLATED,
    )
    stage.until_quiet()
    assert (stage.run(run_id).status, stage.result(run_id)) == (Status.SUCCEEDED, 5)
    assert stage.events(run_id).count("packages_fetched") == 1
