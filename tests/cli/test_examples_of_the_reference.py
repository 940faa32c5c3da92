"""Every example of the command-line reference, typed into a shell by a new user, says what it promises.

The commands are the reference's, word for word, but for ids of runs, which nobody can know beforehand, addresses of
servers and the bucket, which is the stage's. Behind them are the real API, S3 as moto plays it, and a browser that
signs in at once. The session of `dagy config` is in test_config_wizard.py. Where a later decision changed an output,
the changed one is expected.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import botocore.exceptions
import pytest

from dagy.config import write_profile
from dagy.core.platforms import Platform
from dagy.packages.building import write_package
from dagy_runtime.values import ArtifactRef, Package

LAMBDA_ARM = Platform("lambda", "arm64", "3.13")
BIN = Path(sys.executable).parent
VISITOR = Path(__file__).parents[1] / "browsing" / "visitor.py"
ETL = """\
from dagy import flow, task

@task
def extract(date: str):
    print("extracting", date)
    return [1, 2, 3]

@task
def transform(rows):
    return [row * 2 for row in rows]

@task
def load(rows):
    return sum(rows)

@flow
def {name}(date: str = "2026-03-04", env: str = "dev", batch_size: int = 10):
    return load(transform(extract(date)))
"""
FAILING = """\
from dagy import flow, task
import time

@task
def load():
    raise ValueError("no rows")

@task(timeout_seconds=0.05)
def sleep():
    time.sleep(30)

@flow
def failing():
    return load()

@flow
def slow():
    return sleep()
"""
FILES = {
    "examples/flow_example.py": ETL.format(name="example_flow"),
    "examples/flow.py": ETL.format(name="my_flow"),
    "pipelines/etl.py": ETL.format(name="daily_etl"),
    "flows/main.py": ETL.format(name="my_flow"),
    "flows/ingest.py": ETL.format(name="ingest"),
    "flows/pipeline.py": ETL.format(name="pipeline"),
    "flows/train.py": ETL.format(name="train_model"),
    "flows/data.py": ETL.format(name="data_pipeline"),
    "flows/failing.py": FAILING,
    "flows/broken.py": "import nothing_of_this_name\n",
}
OURS = "dagy-artifacts-123456789012-us-east-1"
THEIRS = "my-company-dagy-artifacts"
OTHERS = "the-bucket-of-another-stage"


@dataclass
class User:
    """Somebody with a new machine, a project, and a stage to work with."""

    dagy: Any
    stage: Any
    environ: dict[str, str]
    files: Path
    given: dict[str, str] = field(default_factory=dict)

    def types(self, line: str, **environ: str) -> subprocess.CompletedProcess[str]:
        words = line.format(**self.given) if self.given else line
        words = words.replace("https://api.dagy.io", self.stage.url).replace(THEIRS, OURS)
        return subprocess.run(
            ["/bin/bash", "-c", words],
            cwd=self.files,
            env={**self.environ, **environ},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def has_built(self, target: str, name: str) -> None:
        """The artifact lies where the example looks for it."""
        self.dagy("build", target, "--output-dir", "dist")
        (self.files / name).parent.mkdir(exist_ok=True)
        if name != "dist/artifact.zip":
            (self.files / name).write_bytes((self.files / "dist" / "artifact.zip").read_bytes())

    def has_package(self, slug: str) -> None:
        """One that holds a module of its own."""
        module, written = self.files / f"{slug.lower()}.py", self.files / "package.zip"
        module.write_text("")
        contents = write_package(written, {module.name: module}, LAMBDA_ARM, {slug: "1.0"})
        key, data = f"dagy/packages/{slug}.zip", written.read_bytes()
        self.stage.ports.blobs.put(key, data)
        ref = ArtifactRef(OURS, key, hashlib.sha256(data).hexdigest(), None, len(data))
        facts = ({slug: "1.0"}, (module.stem,), 1, 1, "2026-03-04T12:00:00.000Z", "test")
        self.stage.ports.packages.put_package(Package(slug, slug, ref, contents.sha256, LAMBDA_ARM, *facts))

    def has_deployed(self, target: str, name: str) -> None:
        self.dagy("deploy", target, "--deployment", name)

    def has_run(self, target: str = "pipelines/etl.py:daily_etl") -> None:
        self.given["run"] = self.dagy("run", target, "--json").json["run_id"]


@dataclass(frozen=True)
class Example:
    """A line of the reference; what stdout is and stderr holds, as regular expressions; what was done before."""

    line: str
    stdout: str = ""
    stderr: str = ""
    code: int = 0
    before: Callable[[User], object] = lambda user: None
    environ: dict[str, str] = field(default_factory=dict)


RUN_ID = r"[\w-]+-\d{8}T\d{6}Z-[0-9a-z]+"
COMPLETED = rf"(extracting .*\n)?Run completed: {RUN_ID} status=SUCCEEDED\n"
TRIGGERED = rf"Run triggered: {RUN_ID}\n"
BUILT = r"Artifact: .*/builds/{0}/{0}-\d{{8}}T\d{{6}}-[0-9a-f]+/artifact\.zip\n"
DEPLOYED = r"Deployed to s3://{bucket}/dagy/flows/{name}/{version}/artifact\.zip and registered as {name}:{version}\n"


def deployed(name: str, version: str) -> str:
    return DEPLOYED.format(bucket=OURS, name=name, version=re.escape(version))


def built(target: str, name: str = "artifact.zip") -> Callable[[User], object]:
    return lambda user: user.has_built(target, name)


EXAMPLES = [
    Example("dagy --help", r"Usage: dagy .*\n.*"),
    # --- signing in
    Example("dagy login", "Login successful!\n", "Opening browser for login...\nLogged in as me@example.com"),
    Example("dagy login --profile staging", "Login successful!\n", "Logged in as me@example.com"),
    Example("DAGY_APP_URL=https://staging.dagy.io dagy login", "Login successful!\n", "Opening browser"),
    Example("dagy logout", "Logged out\n", before=lambda user: user.types("dagy login")),
    # --- build
    Example("dagy build examples/flow_example.py:example_flow", BUILT.format("example_flow")),
    Example("dagy build pipelines/etl.py:daily_etl --output-dir ./dist", r"Artifact: .*dist/artifact\.zip\n"),
    Example("dagy build flows/main.py:my_flow --param env=prod --param batch_size=100", BUILT.format("my_flow")),
    # --- deploy
    Example(
        """dagy deploy ./dist/artifact.zip \\
             --deployment my-etl \\
             --flow-name daily_etl \\
             --flow-version 1.0.0""",
        deployed("daily_etl", "1.0.0"),
        before=built("pipelines/etl.py:daily_etl", "dist/artifact.zip"),
    ),
    Example(
        """dagy deploy artifact.zip \\
             --deployment hourly-ingest \\
             --flow-name ingest \\
             --flow-version 2.1.0 \\
             --bucket my-company-dagy-artifacts \\
             --schedule "0 * * * *" \\
             --timezone "America/Los_Angeles\"""",
        deployed("ingest", "2.1.0"),
        r"0 \* \* \* \* America/Los_Angeles",
        before=built("flows/ingest.py:ingest"),
    ),
    Example(
        """dagy deploy artifact.zip \\
             --deployment staging-pipeline \\
             --flow-name pipeline \\
             --flow-version 0.5.0 \\
             --profile staging""",
        deployed("pipeline", "0.5.0"),
        before=built("flows/pipeline.py:pipeline"),
    ),
    Example(
        """dagy deploy artifact.zip \\
             --deployment my-pipeline \\
             --flow-name data_pipeline \\
             --flow-version 1.0.0 \\
             --execution-mode task-isolated""",
        deployed("data_pipeline", "1.0.0"),
        "task-isolated",
        before=built("flows/data.py:data_pipeline"),
    ),
    Example(
        "dagy deploy artifact.zip --deployment my-etl --flow-name daily_etl --flow-version 1.0.0",
        r"No code changes detected \(code_hash unchanged\)\. Skipping deployment\.\n"
        r"Local: [0-9a-f]{12}\.\.\.\nRemote: [0-9a-f]{12}\.\.\.\nUse --force to deploy anyway\.\n",
        before=lambda user: (
            user.has_built("pipelines/etl.py:daily_etl", "artifact.zip"),
            user.types("dagy deploy artifact.zip --deployment my-etl --flow-name daily_etl --flow-version 1.0.0"),
        ),
    ),
    Example(
        """dagy deploy artifact.zip \\
             --deployment my-ml-pipeline \\
             --flow-name train_model \\
             --dep-packages A1B2C3D4""",
        deployed("train_model", "latest"),
        before=lambda user: (
            user.has_built("flows/train.py:train_model", "artifact.zip"),
            user.has_package("A1B2C3D4"),
        ),
    ),
    Example(
        """dagy deploy artifact.zip \\
             --deployment my-etl \\
             --flow-name daily_etl \\
             --dep-packages A1B2C3D4 X9Y8Z7W6""",
        deployed("daily_etl", "latest"),
        before=lambda user: (
            user.has_built("pipelines/etl.py:daily_etl", "artifact.zip"),
            user.has_package("A1B2C3D4"),
            user.has_package("X9Y8Z7W6"),
        ),
    ),
    Example(
        """dagy deploy artifact.zip \\
             --deployment my-ml-flow \\
             --flow-name train_model \\
             --flow-version 2.0.0 \\
             --execution-mode in-process \\
             --dep-packages M0DEPS01""",  # slugs have eight characters since
        deployed("train_model", "2.0.0"),
        before=lambda user: (
            user.has_built("flows/train.py:train_model", "artifact.zip"),
            user.has_package("M0DEPS01"),
        ),
    ),
    # --- run
    Example("dagy run examples/flow_example.py:example_flow", COMPLETED),
    Example("dagy run pipelines/etl.py:daily_etl --param date=2026-03-04 --max-workers 4", COMPLETED),
    Example("dagy run flows/main.py:my_flow --no-fail-fast", COMPLETED),
    Example(
        "DAGY_API_URL=https://api.dagy.io dagy run my-etl --param env=prod",
        TRIGGERED,
        before=lambda user: user.has_deployed("pipelines/etl.py:daily_etl", "my-etl"),
    ),
    Example(
        "dagy run my-etl --param env=staging --profile staging",
        TRIGGERED,
        before=lambda user: user.has_deployed("pipelines/etl.py:daily_etl", "my-etl"),
    ),
    # --- runs, logs, flows
    Example(
        "dagy runs list",
        rf".*{RUN_ID}\s+SUCCEEDED\s+[\dT:.-]+Z\s+daily_etl:latest\n",
        before=User.has_run,
    ),
    Example(
        "dagy runs show {run}",
        rf"Run: {RUN_ID} status=SUCCEEDED flow=daily_etl:latest\nStart: \S+Z End: \S+Z\n.*"
        r"extract-1\s+extract\s+SUCCEEDED\s+1 .*load-1\s+load\s+SUCCEEDED\s+1 .*",
        before=User.has_run,
    ),
    Example("dagy logs {run}", r".*extracting 2026-03-04\n.*", before=User.has_run),
    Example("dagy logs {run} --task extract-1", r".*extracting 2026-03-04\n", before=User.has_run),
    Example(
        "dagy flows list",
        r"flow_name\s+flow_version\s+created_at\s+updated_at\s+artifact_s3_uri\s*\n.*daily_etl .*s3://.*artifact\.zip\n",
        before=lambda user: user.has_deployed("pipelines/etl.py:daily_etl", "my-etl"),
    ),
    Example("dagy flows list --profile staging", r"flow_name .*\n"),
    Example("dagy flows list --limit 2 --profile staging", r"flow_name .*\n"),
]
ERRORS = [
    # --- build
    Example("dagy build flows/main.py", "", "", 0),  # a file with one flow is enough since
    Example("dagy build my_flow", "", "Error: Flow target must be in <path>:<flow_fn> format", 2),
    Example("dagy build nowhere/file.py:my_flow", "", "Error: Flow file not found: .*nowhere/file.py", 5),
    Example("dagy build flows/main.py:name", "", "Error: Flow 'name' not found in .*flows/main.py", 7),
    Example("dagy build flows/broken.py:f", "", "Error: Unable to load module from .*flows/broken.py", 7),
    Example("dagy build flows/main.py:my_flow --param bad", "", "Error: Invalid param 'bad', expected key=value", 2),
    # --- deploy
    Example("dagy deploy no/artifact.zip", "", "Error: Artifact not found: .*no/artifact.zip", 5),
    Example(
        "dagy deploy artifact.zip --deployment x --flow-name name --flow-version version",
        "",
        "Error: Artifact flow spec mismatch. Expected name:version, got daily_etl:latest",
        2,
        before=built("pipelines/etl.py:daily_etl"),
    ),
    Example(
        """dagy deploy artifact.zip \\
             --deployment my-etl \\
             --flow-name daily_etl \\
             --dep-packages A1B2C3D4 X9Y8Z7W6""",
        "",
        "A1B2C3D4",
        5,
        before=built("pipelines/etl.py:daily_etl"),
    ),
    Example(
        "dagy deploy artifact.zip --bucket nobodys-bucket",
        "",
        "Error: .*nobodys-bucket",
        5,
        before=built("pipelines/etl.py:daily_etl"),
    ),
    Example(
        f"dagy deploy artifact.zip --bucket {OTHERS}",
        "",
        f"'{OTHERS}' is not this stage's bucket\n  → Upload to '{OURS}'",
        2,
        before=built("pipelines/etl.py:daily_etl"),
    ),
    Example(
        "DAGY_API_URL=http://127.0.0.1:9 DAGY_API_KEY=x dagy deploy artifact.zip",
        "",
        "APIError 0: Unable to reach Dagy API at http://127.0.0.1:9",
        4,
        before=built("pipelines/etl.py:daily_etl"),
    ),
    # --- run
    Example("dagy run --local my-etl", "", "Error: Flow target must be in <path>:<flow_fn> format", 2),
    Example("dagy run flows/failing.py:failing", ".*", "Error: Task load failed: no rows", 8),
    Example("dagy run flows/failing.py:slow", ".*", "Task exceeded timeout of 0.05s", 8),
    Example(
        "DAGY_API_URL=http://127.0.0.1:9 DAGY_API_KEY=x dagy run my-etl",
        "",
        r"APIError 0: Unable to reach Dagy API at http://127\.0\.0\.1:9.*\. Check DAGY_API_URL/profile and network "
        r"connectivity\.",
        4,
    ),
    # --- runs, logs, flows
    Example("dagy runs show daily_etl-20260304-abc123 --local", "", "Run not found: daily_etl-20260304-abc123", 5),
    Example("dagy logs {run} --task load-7", "", "Log not found: .*load-7", 5, before=User.has_run),
    Example(
        "dagy flows list",
        "",
        r"Missing Dagy API URL\. Set DAGY_API_URL or run 'dagy config'\.",
        2,
        environ={"DAGY_LOCAL_DIR": "/tmp/nothing-is-here"},
    ),
    Example(
        "DAGY_API_URL=http://127.0.0.1:9 DAGY_API_KEY=x dagy flows list", "", "APIError 0: Unable to reach Dagy API", 4
    ),
    Example("DAGY_API_KEY=dgy_wrong dagy flows list", "", "APIError 401: ", 3),
    # --- signing in
    Example(
        "dagy login",
        "",
        "Login failed: State mismatch – possible CSRF attack.",
        3,
        environ={"VISIT": "token=t&state=another"},
    ),
    Example(
        "dagy login",
        "",
        "Login failed: not today",
        3,
        environ={"VISIT": "error=access_denied&error_description=not+today&state={state}"},
    ),
]
LIKE_DAGNATS = [  # one session, in this order
    Example("dagy flows list", r"flow_name .*\ndaily_etl .*"),
    Example("dagy flows list --json", r'\[\n  \{\n    "flow_name": "daily_etl",.*'),
    Example("dagy flows show daily_etl", r"Flow: daily_etl:latest\n.*transform-1\s+transform\s+extract-1\n.*"),
    Example("dagy flows validate pipelines/etl.py:daily_etl", r"Valid: daily_etl:latest \(3 tasks\)\n"),
    Example("dagy flows validate flows/broken.py", "", "Error: Unable to load module from .*flows/broken.py", 7),
    Example("dagy run my-etl --param date=2026-03-04", TRIGGERED),
    Example("dagy runs show --last --remote", rf"Run: {RUN_ID} status=PENDING flow=daily_etl:latest\n.*"),
    Example("dagy runs status --last --remote --json", r'\{\n  "run_id": ".*"status": "PENDING",.*'),
    Example("dagy runs inspect {there}", rf"Run: {RUN_ID} status=FAILED .*no rows.*"),
    Example("dagy runs events {there} --type run_started --full", r"at\s+type.*run_started.*"),
    Example("dagy runs events {there} --json", r'\[\n  \{\n.*"type": "run_started".*'),
    Example("dagy runs watch {there}", ".*", f"Error: .*{RUN_ID}.*FAILED", 8),
    Example("dagy runs list --remote --deployment my-etl --status FAILED", rf"run_id .*\n{RUN_ID} +FAILED .*\n"),
    Example("dagy runs list --remote --status SCHEDULED", r"run_id [^\n]*\n"),
    Example("dagy runs retry {there}", TRIGGERED),
    Example("dagy runs retry {there} --json", r"\{\n.*"),
    Example("dagy runs cancel --last --remote --yes", rf"Cancelled {RUN_ID}\n"),
    Example(
        "dagy runs cancel-all --deployment my-etl --status pending --dry-run",
        rf"Would cancel 2 runs\n(  {RUN_ID}\n){{2}}",
    ),
    Example("dagy runs cancel-all --deployment my-etl --yes", rf"Cancelled 2 runs\n(  {RUN_ID}\n){{2}}"),
    Example(
        """dagy runs bulk my-etl '{{"env":"staging"}}' '{{"env":"prod"}}'""", rf"Started 2 runs\n(  {RUN_ID}\n){{2}}"
    ),
    Example("dagy runs bulk my-etl --from-file inputs.jsonl --json", r'\[\n  \{\n    "run_id": ".*"env": "b"\n.*\]\n'),
    Example("dagy runs output --last --local", r"12\n"),
    Example("dagy runs output --last --local --json", "12\n"),
    Example("dagy runs show daily_et", rf"Run: {RUN_ID} .*"),
    Example(
        'dagy deploy pipelines/etl.py --deployment my-etl --schedule "0 9 * * 1-5" --timezone America/Denver',
        ".*",
        r"0 9 \* \* 1-5 America/Denver",
    ),
    Example("dagy schedules list", r"name .*\nmy-etl .*0 9 \* \* 1-5.*"),
    Example("dagy deployments pause my-etl", "my-etl is PAUSED\n"),
    Example("dagy deployments resume my-etl", "my-etl is ACTIVE\n"),
    Example("dagy runs list --remote --deployment my-etl", r"run_id .*"),
    Example(
        'dagy schedules test "0 9 * * 1-5" --tz America/Denver --count 3',
        r"Valid: 0 9 \* \* 1-5\n\nNext 3 fire times \(America/Denver\):\n( +\d\. \d{4}-\d\d-\d\d 09:00 M[SD]T\n){3}",
    ),
    Example("dagy schedules test invalid --json", "", r'\{"error": .*"invalid', 2),
    Example("dagy deploy pipelines/etl.py --deployment my-etl --no-schedule", ".*", "schedule"),
    Example("dagy init my-pipeline", r"Created my-pipeline/\n  my-pipeline/flow\.py\n.*"),
    Example("dagy init image-pipeline --json", r"\{\n.*"),
    Example("dagy init flow image-pipeline --steps fetch,resize,upload", r"Created image_pipeline\.py\n"),
    Example("dagy init flow simple-job", r"Created simple_job\.py\n"),
    Example("dagy config show", r"profile +dev.*"),
    Example("dagy config show --json", r'\{\n  "profile": "dev",.*'),
    Example("dagy status", r"Profile +dev: .*API +answers.*4 active runs, 1 deployment\n.*"),
    Example("dagy status --json", r"\{\n.*"),
    Example("dagy logs {there} --remote", ".*hello from extract-1.*"),
    Example("dagy clean --all --dry-run", r"Would remove 1 run \(.*\nWould remove 3 builds .*", "Nothing was done"),
    Example("dagy clean --older-than 7d --yes", r".*1 run \(.*\) stays\n.*", "Nothing to remove"),
    Example("dagy clean --type builds --older-than 30d --dry-run", r".*3 builds \(.*\) stay\n"),
    Example("dagy clean --all --yes --json", r'\[\n  \{\n    "type": "runs",\n    "count": 1,.*'),
    Example("dagy runs show daily_etl --local", "", "Run not found: daily_etl", 5),
]


@pytest.fixture
def user(dagy: Any, stage: Any, in_front_of_aws: str, tmp_path: Path) -> User:
    write_profile(
        "staging", api_url=stage.url, stage="dev", region="us-east-1", table_format="plain", api_key=stage.key()
    )
    files = Path.cwd()
    for name, source in FILES.items():
        (files / name).parent.mkdir(parents=True, exist_ok=True)
        (files / name).write_text(source)
    claims = base64.urlsafe_b64encode(json.dumps({"exp": 4102444800, "email": "me@example.com"}).encode()).decode()
    environ = {
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "DAGY_LOCAL_DIR": os.environ["DAGY_LOCAL_DIR"],
        "AWS_ENDPOINT_URL": in_front_of_aws,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "BROWSER": f"{sys.executable} {VISITOR} %s",
        "VISIT": f"token=e30.{claims.rstrip('=')}.c2ln&state={{state}}",
    }
    return User(dagy, stage, environ, files)


def check(user: User, example: Example) -> None:
    example.before(user)
    said = user.types(example.line, **example.environ)
    told = f"$ {example.line}\nexit {said.returncode}\n{said.stdout}\n{said.stderr}"
    assert said.returncode == example.code, told
    assert re.fullmatch(example.stdout or r"(?s:.*)", said.stdout, re.DOTALL), told
    assert re.search(example.stderr, said.stderr, re.DOTALL), told
    assert "Traceback" not in said.stderr, told
    if example.code:
        assert said.stdout == "" or example.stdout, told


def named(example: Example) -> str:
    return " ".join(example.line.replace("\\\n", " ").split())


@pytest.mark.parametrize("example", EXAMPLES, ids=named)
def test_an_example_of_the_reference_does_what_it_says(user: User, example: Example) -> None:
    check(user, example)


@pytest.mark.parametrize("example", ERRORS, ids=named)
def test_an_error_of_the_reference_is_told_as_it_says(user: User, example: Example) -> None:
    check(user, example)


def test_what_comes_closest_to_the_examples_of_dagnats(user: User) -> None:
    user.has_deployed("pipelines/etl.py:daily_etl", "my-etl")
    user.has_run()
    user.given["there"] = user.dagy("run", "my-etl", "--json").json["run_id"]
    user.stage.play(user.given["there"], fails_with="no rows")
    (user.files / "inputs.jsonl").write_text('{"env": "a"}\n{"env": "b"}\n')

    for example in LIKE_DAGNATS:
        check(user, example)


# --- AWS, for another process ---------------------------------------------------------------------------------


@pytest.fixture
def in_front_of_aws(s3: Any) -> Iterator[str]:
    """moto's S3 for processes other than this one; an account; and no manifest of any stage."""
    s3.create_bucket(Bucket=OTHERS)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_PUT(self) -> None:
            self._forward(s3.put_object, Body=self.rfile.read(int(self.headers["Content-Length"])))

        def do_GET(self) -> None:
            wanted = {"Range": self.headers["Range"]} if "Range" in self.headers else {}
            self._forward(s3.get_object, **wanted)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            if "X-Amz-Target" in self.headers:  # SSM
                return self._answer(400, b'{"__type": "ParameterNotFound"}')
            assert parse_qs(body)["Action"] == ["GetCallerIdentity"]
            inner = "<GetCallerIdentityResult><Account>123456789012</Account></GetCallerIdentityResult>"
            return self._answer(200, f"<GetCallerIdentityResponse>{inner}</GetCallerIdentityResponse>".encode())

        def _forward(self, call: Callable[..., Any], **more: Any) -> None:
            url = urlsplit(self.path)
            bucket, _, key = unquote(url.path).lstrip("/").partition("/")
            version = {"VersionId": v[0]} if (v := parse_qs(url.query).get("versionId")) else {}
            try:
                answer = call(Bucket=bucket, Key=key, **version, **more)
            except botocore.exceptions.ClientError as error:
                code, status = error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
                return self._answer(status, f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode())
            headers = {"x-amz-version-id": answer.get("VersionId", "null")}
            if "ContentRange" in answer:
                headers["Content-Range"] = answer["ContentRange"]
            body = answer["Body"].read() if "Body" in answer else b""
            return self._answer(206 if "ContentRange" in answer else 200, body, headers)

        def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
