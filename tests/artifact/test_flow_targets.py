"""`<path>:<flow_fn>`: which flow it names, and what is said when it names none."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dagy.artifact import load_target
from dagy.core.errors import DagyError, InvalidFlow, InvalidInput

FLOW = """
from dagy import flow, task

@task
def double(x: int) -> int:
    return 2 * x

@flow
def doubling(n: int = 3):
    return double(n)
"""
Write = Callable[..., Path]


def test_a_flow_is_loaded_under_its_modules_real_name(write: Write) -> None:
    folder = write({"pipelines/__init__.py": "", "pipelines/daily/__init__.py": "", "pipelines/daily/etl.py": FLOW})

    flow = load_target(f"{folder}/pipelines/daily/etl.py:doubling")

    assert flow.fn.__module__ == "pipelines.daily.etl"
    assert flow.build().tasks["double"].import_path == "pipelines.daily.etl:double"


def test_a_relative_path_is_read_from_the_current_directory(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(write({"flows/etl.py": FLOW}))

    assert load_target("flows/etl.py:doubling").name == "doubling"


def test_the_path_alone_will_do_when_the_file_holds_one_flow(write: Write) -> None:
    folder = write({"etl.py": FLOW, "user.py": f"from etl import doubling\n{FLOW.replace('doubling', 'other')}"})

    assert load_target(f"{folder}/etl.py").name == "doubling"
    assert load_target(f"{folder}/user.py").name == "other"  # an imported flow is not the file's own


def test_a_flow_is_found_by_its_name_too(write: Write) -> None:
    folder = write({"etl.py": FLOW.replace("@flow", '@flow(name="daily-etl")')})

    assert load_target(f"{folder}/etl.py:daily-etl").fn.__name__ == "doubling"


def test_siblings_packages_and_modules_of_the_current_directory_are_importable(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write(
        {
            "shared/rates.py": "RATE = 2",
            "flows/helpers.py": "FACTOR = 3",
            "flows/parts/__init__.py": "from . import inner",
            "flows/parts/inner.py": "INNER = 5",
            "flows/etl.py": f"from helpers import FACTOR\nimport parts\nfrom shared.rates import RATE\n{FLOW}",
        }
    )
    monkeypatch.chdir(folder)

    module = sys.modules[load_target("flows/etl.py:doubling").fn.__module__]

    assert (module.FACTOR, module.parts.inner.INNER, module.RATE) == (3, 5, 2)


def test_files_of_one_name_in_two_folders_are_two_modules_with_their_own_siblings(write: Write) -> None:
    flow = f"from helper import PLACE\n{FLOW}"
    one = write({"flow.py": flow, "helper.py": "PLACE = 'one'"}, "one")
    two = write({"flow.py": flow, "helper.py": "PLACE = 'two'"}, "two")
    inner = write({"flow.py": flow, "helper.py": "PLACE = 'inner'"}, "one/inner")

    places = [load_target(f"{folder}/flow.py:doubling").fn.__globals__["PLACE"] for folder in (one, two, inner, one)]

    assert places == ["one", "two", "inner", "one"]


def test_loading_twice_gives_the_same_flow(write: Write) -> None:
    folder = write({"etl.py": FLOW})

    assert load_target(f"{folder}/etl.py") is load_target(f"{folder}/etl.py:doubling")


@pytest.mark.parametrize("target", ["", "etl", "etl:", ":doubling", "flows/etl"])
def test_a_target_of_another_form_is_a_value_error(target: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        load_target(target)

    assert str(refused.value) == "Flow target must be in <path>:<flow_fn> format"
    assert isinstance(refused.value, ValueError)


def test_a_file_that_is_not_there_is_a_file_not_found_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as refused:
        load_target(f"{tmp_path}/etl.py:doubling")

    assert str(refused.value) == f"Flow file not found: {tmp_path}/etl.py"
    assert isinstance(refused.value, DagyError)
    assert str(pickle.loads(pickle.dumps(refused.value))) == str(refused.value)


@pytest.mark.parametrize(
    "name, hint",
    [
        pytest.param("tripling", "Its flows: doubling", id="no such name"),
        pytest.param("plain", "decorate it with @flow", id="a plain function"),
    ],
)
def test_a_flow_that_is_not_in_the_file_is_an_attribute_error(write: Write, name: str, hint: str) -> None:
    folder = write({"etl.py": f"{FLOW}\ndef plain(): ...\n"})

    with pytest.raises(AttributeError) as refused:
        load_target(f"{folder}/etl.py:{name}")

    assert str(refused.value) == f"Flow '{name}' not found in {folder}/etl.py"
    assert isinstance(refused.value, InvalidFlow)
    assert hint in str(refused.value.hint)


@pytest.mark.parametrize(
    "source, cause",
    [
        pytest.param("import not_there_at_all\n", ModuleNotFoundError, id="a missing module"),
        pytest.param("def broken(:\n", SyntaxError, id="no Python"),
        pytest.param("x = 1\n1 / 0\n", ZeroDivisionError, id="an error at the top level"),
        pytest.param("raise SystemExit(3)\n", SystemExit, id="an exit"),
    ],
)
def test_a_module_that_cannot_be_imported_is_an_import_error_with_its_cause(
    write: Write, source: str, cause: type[BaseException]
) -> None:
    folder = write({"etl.py": source})

    with pytest.raises(ImportError) as refused:
        load_target(f"{folder}/etl.py:doubling")

    assert str(refused.value) == f"Unable to load module from {folder}/etl.py"
    assert isinstance(refused.value, InvalidFlow)
    assert isinstance(refused.value.__cause__, cause)
    assert cause.__name__ in str(refused.value.hint)


def test_the_line_at_which_the_import_stopped_is_told(write: Write) -> None:
    folder = write({"etl.py": "x = 1\n1 / 0\n"})

    with pytest.raises(ImportError) as refused:
        load_target(f"{folder}/etl.py:doubling")

    assert "ZeroDivisionError: division by zero (line 2)" in str(refused.value.hint)  # type: ignore[attr-defined]


def test_a_wrong_setting_is_told_as_such(write: Write) -> None:
    folder = write({"etl.py": FLOW.replace("@task", "@task(retries=-1)")})

    with pytest.raises(InvalidFlow, match=r"retries .* -1"):
        load_target(f"{folder}/etl.py:doubling")


@pytest.mark.parametrize("call", ["doubling()", "doubling.run_local()", "doubling.run()", "doubling.deploy()"])
def test_a_file_that_starts_its_flow_when_imported_is_refused(write: Write, call: str) -> None:
    folder = write({"etl.py": f"{FLOW}\n{call}\n"})

    with pytest.raises(InvalidFlow, match="starts flow 'doubling' while it is imported") as refused:
        load_target(f"{folder}/etl.py:doubling")

    assert "__main__" in str(refused.value.hint)


def test_a_file_with_several_flows_asks_which(write: Write) -> None:
    folder = write({"etl.py": FLOW + FLOW.replace("doubling", "tripling"), "none.py": "x = 1\n"})

    with pytest.raises(InvalidInput, match="holds 2 flows") as refused:
        load_target(f"{folder}/etl.py")
    assert f"{folder}/etl.py:tripling" in str(refused.value.hint)
    with pytest.raises(InvalidFlow, match="No flow found"):
        load_target(f"{folder}/none.py")


@pytest.mark.parametrize("name", ["statistics", "queue", "dagy"])
def test_a_file_that_hides_pythons_own_module_is_refused(write: Write, name: str) -> None:
    folder = write({f"{name}.py": FLOW})

    with pytest.raises(InvalidFlow, match=f"hides Python's own module '{name}'"):
        load_target(f"{folder}/{name}.py:doubling")
