"""The tree of errors: what is whose child, and that every one crosses a pipe with all it knows."""

from __future__ import annotations

import pickle
from collections.abc import Iterator

import pytest

from dagy.core import errors as e

EXAMPLES: list[e.DagyError] = [
    e.DagyError("something"),
    e.InvalidInput("n is -1", "Give 0 or more."),
    e.InvalidFlow("flow.py:3: no", "Do this."),
    e.ValueNotKnown("flow.py:3: 'day' is not known", "Give it."),
    e.NotFound("run", "etl-1", "Look at: dagy runs list"),
    e.Conflict("It runs", "Cancel it."),
    e.Unauthenticated("Who is it?", "Sign in."),
    e.Forbidden("Not for you", "Ask."),
    e.Unavailable("No answer", "Later."),
    e.RunFailed("etl-1", "FAILED", "no rows"),
    e.WaitTimedOut("The end of run etl-1", 5.0),
    e.APIError(404, "Flow not found", "not_found", "Deploy it."),
    e.TokenExpiredError("2026-03-04T00:00:00Z", "dev"),
    e.KeyExpired("ci", "2026-03-04T00:00:00Z"),
    e.InvalidSchedule("61 is no minute", "Minutes are 0 to 59."),
    e.ParameterTypeError("n", "int", "'5' (str)"),
    e.UnknownParameter("m", ("n", "day")),
    e.MissingParameter("n", "int"),
    e.FlowFileNotFound("flows/etl.py"),
    e.FlowNotInFile("etl", "flows/etl.py", "There is: etl_2"),
    e.ModuleUnloadable("flows/etl.py", "No module named 'x'"),
    e.RetryConfigurationError("retries must be 0 or more, got -1"),
    e.ArtifactInvalid("No metadata", "Build it again."),
    e.ArtifactNotFound("dist/etl.zip"),
    e.ArtifactMismatch("etl:1", "etl:2"),
    e.LocalExecutionError("It could not be run"),
    e.DependencyCycleError(("a-1", "b-1", "a-1")),
    e.TaskFailedError("load", "no rows", "load-1"),
    e.TaskTimeoutError(60.0),
    e.ArtifactSerializationError("A lock cannot be stored"),
    e.LocalRecordsError("The disk is full"),
    e.LoginFailed("Login cancelled by user.", "Try again: dagy login"),
]


def all_below(error: type[e.DagyError]) -> Iterator[type[e.DagyError]]:
    yield error
    for child in error.__subclasses__():
        if child.__module__ == e.__name__:
            yield from all_below(child)


def test_every_error_has_an_example_here() -> None:
    assert {type(error) for error in EXAMPLES} == set(all_below(e.DagyError))


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_an_error_pickles_with_all_it_knows(error: e.DagyError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert (str(again), again.hint, again.code, vars(again)) == (str(error), error.hint, error.code, vars(error))


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_an_error_says_something_has_a_code_and_explains_itself(error: e.DagyError) -> None:
    assert str(error).strip()
    assert error.code.replace("_", "").isalpha()
    assert error.code.islower()
    assert type(error).__doc__


@pytest.mark.parametrize(
    "error, told",
    [
        pytest.param(e.TaskFailedError("load", "no rows"), "Task load failed: no rows", id="a failed task"),
        pytest.param(e.TaskTimeoutError(120), "Task exceeded timeout of 120s", id="a timeout"),
        pytest.param(e.DependencyCycleError(), "Dependency cycle detected or missing dependency output", id="a cycle"),
        pytest.param(e.FlowNotInFile("etl", "f.py"), "Flow 'etl' not found in f.py", id="no such flow"),
        pytest.param(e.FlowFileNotFound("f.py"), "Flow file not found: f.py", id="no such file"),
        pytest.param(e.ModuleUnloadable("f.py"), "Unable to load module from f.py", id="a module that fails"),
        pytest.param(e.ArtifactNotFound("a.zip"), "Artifact not found: a.zip", id="no such artifact"),
        pytest.param(
            e.ArtifactMismatch("a:1", "b:2"), "Artifact flow spec mismatch. Expected a:1, got b:2", id="another flow"
        ),
        pytest.param(e.APIError(401, "No"), "APIError 401: No", id="the API"),
    ],
)
def test_errors_are_worded_as_in_the_reference(error: e.DagyError, told: str) -> None:
    assert str(error) == told


@pytest.mark.parametrize(
    "error, parents",
    [
        pytest.param(e.APIError, (e.DagyError,), id="APIError"),
        pytest.param(e.ParameterTypeError, (e.DagyError, ValueError), id="ParameterTypeError"),
        pytest.param(e.RetryConfigurationError, (e.DagyError,), id="RetryConfigurationError"),
        pytest.param(e.LocalExecutionError, (RuntimeError,), id="LocalExecutionError"),
        pytest.param(e.DependencyCycleError, (e.LocalExecutionError,), id="DependencyCycleError"),
        pytest.param(e.TaskFailedError, (e.LocalExecutionError,), id="TaskFailedError"),
        pytest.param(e.ArtifactSerializationError, (e.LocalExecutionError,), id="ArtifactSerializationError"),
        pytest.param(e.TaskTimeoutError, (e.LocalExecutionError,), id="TaskTimeoutError"),
        pytest.param(e.FlowFileNotFound, (FileNotFoundError,), id="FlowFileNotFound"),
        pytest.param(e.FlowNotInFile, (AttributeError,), id="FlowNotInFile"),
        pytest.param(e.ModuleUnloadable, (ImportError,), id="ModuleUnloadable"),
        pytest.param(e.ArtifactNotFound, (FileNotFoundError,), id="ArtifactNotFound"),
        pytest.param(e.ArtifactMismatch, (ValueError,), id="ArtifactMismatch"),
    ],
)
def test_an_error_is_caught_as_in_the_reference(error: type[Exception], parents: tuple[type[Exception], ...]) -> None:
    assert all(issubclass(error, parent) for parent in parents)
