"""Profiles: which one is in force, and what happens to the file."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dagy.config import (
    Profile,
    delete_profile,
    read_config,
    resolve_api_url,
    resolve_app_url,
    resolve_profile,
    resolve_region,
    set_default_profile,
    write_profile,
)
from dagy.core.errors import Conflict, DagyError, InvalidInput, NotFound, Unauthenticated
from dagy.credentials import read_credentials, resolve_token, save_api_key

TWO = """\
version: 1
default_profile: dev
profiles:
  dev:
    api_url: https://api.dev.dagy.io
    app_url: https://dev.dagy.io
    table_format: heavy_grid
    last_updated: "2026-03-01T12:00:00Z"
  prod:
    api_url: https://api.dagy.io
    table_format: plain
    region: eu-west-1
    last_updated: 2026-02-28T09:30:00Z
"""
NO_DEFAULT = TWO.replace("default_profile: dev\n", "")


def write(home: Path, text: str | bytes) -> Path:
    home.mkdir(exist_ok=True)
    path = home / "config.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(0o600)
    return path


@pytest.mark.parametrize(
    "text, flag, environ, chosen",
    [
        pytest.param(TWO, "prod", {"DAGY_PROFILE": "dev"}, "prod", id="--profile wins over everything"),
        pytest.param(TWO, None, {"DAGY_PROFILE": "prod"}, "prod", id="DAGY_PROFILE wins over the file"),
        pytest.param(TWO, None, {}, "dev", id="default_profile is used when nothing is said"),
        pytest.param(NO_DEFAULT, None, {}, "dev", id="without a default it is the first in the alphabet"),
        pytest.param("", None, {}, None, id="an empty file has no profile"),
        pytest.param(TWO, None, {"DAGY_PROFILE": ""}, "dev", id="an empty variable says nothing"),
    ],
)
def test_the_profile_in_force(
    home: Path, text: str, flag: str | None, environ: dict[str, str], chosen: str | None
) -> None:
    write(home, text)

    assert resolve_profile(flag, environ=environ).name == chosen


def test_without_a_file_everything_is_local() -> None:
    profile = resolve_profile()

    assert profile == Profile()
    assert resolve_api_url(profile, environ={}) is None


def test_the_api_url_in_the_environment_wins_over_the_profile(home: Path) -> None:
    write(home, TWO)
    profile = resolve_profile("prod")

    assert resolve_api_url(profile, environ={}) == "https://api.dagy.io"
    assert resolve_api_url(profile, environ={"DAGY_API_URL": "http://localhost:1"}) == "http://localhost:1"


@pytest.mark.parametrize(
    "profile, environ, app_url",
    [
        pytest.param("dev", {"DAGY_APP_URL": "https://x.example"}, "https://x.example", id="DAGY_APP_URL"),
        pytest.param("dev", {}, "https://dev.dagy.io", id="the profile's"),
        pytest.param("prod", {}, "https://dagy.io", id="else https://dagy.io"),
    ],
)
def test_where_people_sign_in(home: Path, profile: str, environ: dict[str, str], app_url: str) -> None:
    write(home, TWO)

    assert resolve_app_url(resolve_profile(profile), environ=environ) == app_url


@pytest.mark.parametrize(
    "profile, environ, region",
    [
        pytest.param("prod", {"AWS_REGION": "us-west-2"}, "eu-west-1", id="a stage's region wins over the shell's"),
        pytest.param("dev", {"AWS_REGION": "us-west-2", "AWS_DEFAULT_REGION": "x"}, "us-west-2", id="AWS_REGION"),
        pytest.param("dev", {"AWS_DEFAULT_REGION": "us-west-1"}, "us-west-1", id="AWS_DEFAULT_REGION"),
        pytest.param("dev", {}, "us-east-1", id="else us-east-1"),
    ],
)
def test_the_region_in_force(home: Path, profile: str, environ: dict[str, str], region: str) -> None:
    write(home, TWO)

    assert resolve_region(resolve_profile(profile), environ=environ) == region


def test_a_profile_that_does_not_exist_is_refused_with_those_that_do(home: Path) -> None:
    write(home, TWO)

    with pytest.raises(NotFound, match="Profile not found: staging") as caught:
        resolve_profile("staging")
    assert "dev, prod" in str(caught.value.hint)


def test_the_first_profile_becomes_the_default_and_the_file_is_private(home: Path) -> None:
    write_profile("dev", api_url="https://api.example.com/v1", stage="dev", region="eu-west-1")
    write_profile("prod", api_url="https://prod.example.com")

    assert read_config().default_profile == "dev"
    assert stat.S_IMODE((home / "config.yaml").stat().st_mode) == 0o600


def test_writing_changes_what_is_given_and_keeps_the_rest(home: Path) -> None:
    path = write(home, TWO + "    from_the_future: {a: 1}\nalso_unknown: 2\n")

    written = write_profile("prod", stage="prod", api_key="dgy_1_secret")

    stored = yaml.safe_load(path.read_text())
    assert (written.api_url, written.stage, written.region) == ("https://api.dagy.io", "prod", "eu-west-1")
    assert stored["profiles"]["prod"]["from_the_future"] == {"a": 1}
    assert stored["also_unknown"] == 2
    assert stored["profiles"]["dev"]["api_url"] == "https://api.dev.dagy.io"
    assert "secret" not in path.read_text()
    assert read_credentials().api_keys == {"prod": "dgy_1_secret"}


def test_a_key_stays_with_the_api_it_was_saved_for_when_the_profile_moves() -> None:
    write_profile("dev", api_url="https://a.example/v1", api_key="dgy_a")
    write_profile("dev", api_url="https://b.example")

    assert resolve_token("dev", api_url="https://a.example", environ={}) == "dgy_a"
    with pytest.raises(Unauthenticated, match=r"is for https://a\.example, so it is not sent to https://b\.ex"):
        resolve_token("dev", api_url="https://b.example", environ={})
    write_profile("dev", api_key="dgy_b")
    assert resolve_token("dev", api_url="https://b.example", environ={}) == "dgy_b"


def test_a_key_for_a_profile_without_an_api_is_refused_and_nothing_is_written(home: Path) -> None:
    with pytest.raises(InvalidInput, match="has no API"):
        write_profile("dev", stage="dev", api_key="dgy_a")
    assert not (home / "config.yaml").exists() and not (home / "credentials").exists()


def test_a_profile_can_be_forgotten_with_its_key() -> None:
    write_profile("dev", api_url="https://a.example", api_key="dgy_a")
    write_profile("prod", api_url="https://b.example", api_key="dgy_b")
    set_default_profile("prod")

    delete_profile("prod")

    assert read_config().default_profile is None
    assert resolve_profile().name == "dev"
    assert read_credentials().api_keys == {"dev": "dgy_a"}


@pytest.mark.parametrize(
    "name, url",
    [
        pytest.param("no spaces", "https://a.example", id="a name with a space"),
        pytest.param("", "https://a.example", id="an empty name"),
        pytest.param("../up", "https://a.example", id="a name that is a path"),
        pytest.param("dev", "a.example", id="a URL without a scheme"),
        pytest.param("dev", "https://", id="a URL without a host"),
        pytest.param("dev", "ftp://a.example", id="a URL of another scheme"),
        pytest.param("dev", "https://[::1", id="a URL with half an address"),
        pytest.param("dev", "https://a..example", id="a host with an empty label"),
        pytest.param("dev", "https://a.example:x", id="a port that is none"),
        pytest.param("dev", "https://a.example/\x1b[31m", id="a URL that colours the terminal"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(home: Path, name: str, url: str) -> None:
    with pytest.raises(InvalidInput):
        write_profile(name, api_url=url)
    assert not (home / "config.yaml").exists()


def test_what_a_caller_takes_for_granted_is_checked_where_it_is_written() -> None:
    with pytest.raises(NotFound, match="Profile not found: dev"):
        write_profile("dev", stage="dev", exists=True)
    write_profile("dev", stage="dev", exists=False)
    with pytest.raises(Conflict, match="Profile 'dev' exists"):
        write_profile("dev", stage="other", exists=False)
    write_profile("dev", region="eu-west-1", exists=True)

    assert (resolve_profile().stage, resolve_profile().region) == ("dev", "eu-west-1")


BROKEN = [
    pytest.param("profiles: [", id="not YAML"),
    pytest.param("- a\n- b\n", id="a list"),
    pytest.param("profiles: 3\n", id="profiles that are a number"),
    pytest.param("profiles: {dev: 3}\n", id="a profile that is a number"),
    pytest.param("profiles: {dev: {api_url: 3}}\n", id="an api_url that is a number"),
    pytest.param("version: 99\n", id="a version of the future"),
    pytest.param(b"\xff\xfe\x00profiles", id="not text"),
    pytest.param("default_profile: [a]\n", id="a default that is a list"),
]


@pytest.mark.parametrize("text", BROKEN)
def test_a_file_that_cannot_be_read_is_said_to_be_so_and_left_alone(home: Path, text: str | bytes) -> None:
    path = write(home, text)
    before = path.read_bytes()

    with pytest.raises(InvalidInput, match=r"Cannot read .*config\.yaml"):
        resolve_profile()
    with pytest.raises(InvalidInput, match=r"Cannot read .*config\.yaml"):
        set_default_profile("dev")
    assert path.read_bytes() == before


@pytest.mark.parametrize("text", BROKEN)
def test_writing_sets_a_file_that_cannot_be_read_aside(home: Path, text: str | bytes) -> None:
    before = write(home, text).read_bytes()

    write_profile("dev", api_url="https://a.example")

    (backup,) = home.glob("config.bak-*.yaml")
    assert backup.read_bytes() == before
    assert resolve_profile().api_url == "https://a.example"


def test_writers_at_the_same_time_lose_nothing(home: Path) -> None:
    program = "import sys, dagy.config as c\nfor n in range(5): c.write_profile(f'{sys.argv[1]}-{n}', stage='dev')"
    writers = [subprocess.Popen([sys.executable, "-c", program, word]) for word in ("a", "b", "c")]
    try:
        assert [writer.wait(timeout=60) for writer in writers] == [0, 0, 0]
    finally:
        for writer in writers:
            writer.kill()

    assert set(read_config().profiles) == {f"{word}-{n}" for word in "abc" for n in range(5)}


def test_a_writer_that_is_killed_leaves_the_old_file_or_the_new_one(home: Path) -> None:
    program = """
import dagy.config, itertools
for n in itertools.count():
    dagy.config.write_profile("a", stage=f"s-{n}", api_key=f"dgy_{n}", api_url="https://a.example")
    print(n, flush=True)
"""
    for _ in range(10):
        writer = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
        try:
            assert writer.stdout is not None
            written = int(writer.stdout.readline())
        finally:
            writer.kill()
            writer.communicate()

        stage = str(resolve_profile("a").stage)
        assert int(stage.removeprefix("s-")) >= written
        assert resolve_token("a", api_url="https://a.example", environ={})
    set_default_profile("a")
    save_api_key("a", "dgy_last", api_url="https://a.example")
    assert sorted(path.name for path in home.iterdir()) == [
        ".config.yaml.lock", ".credentials.lock", "config.yaml", "credentials",
    ]  # fmt: skip


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_mutation_of_the_file_gives_anything_but_an_answer_or_an_error_of_ours(
    home: Path, data: st.DataObject
) -> None:
    text = bytearray(TWO.encode())
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(text) - 1))
        end = min(len(text) - 1, at + data.draw(st.integers(0, 8)))
        text[at:end] = data.draw(
            st.binary(max_size=8) | st.sampled_from([b"*a", b"&a", b"!!", b"{", b"[", b"\t", b"- "])
        )
    path = write(home, bytes(text))

    try:
        resolve_profile(environ={})
    except DagyError as error:
        assert error.hint
    assert path.read_bytes() == bytes(text)
