"""The local cloud: the AWS emulator with stage `local` provisioned into it, and a profile and a key for it.

    cloud = LocalCloud(Path("~/.dagy").expanduser())
    status = cloud.start()
    ...
    cloud.stop()

The stage is made by the same `cdk bootstrap` and `cdk deploy` as any other. A hash of what was deployed lies in the
emulator beside the rest, from when a deploy is finished until the next one begins: a second start deploys only what
changed, and after a crash a stage that was saved half made is told from a whole one.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from dagy.aws import Aws, translated
from dagy.config import write_profile
from dagy.core.errors import NotFound, Unauthenticated
from dagy.credentials import read_credentials
from dagy.local.paths import using_local_dir
from dagy.manifest import Manifest, read_manifest
from dagy.private_files import locked
from dagy_infra.assets import build_assets, target_of
from dagy_infra.cdk_cli import Report
from dagy_infra.emulator import Emulator, Running
from dagy_infra.emulator_gaps import allow_recursion, let_containers_fetch, rearm_reconciler
from dagy_infra.provision import Place, deploy
from dagy_infra.stages import LOCAL_STAGE, StageConfig, stage_config
from dagy_infra.stages import Emulator as EmulatorTarget
from dagy_runtime.adapters.aws.clients import Clients
from dagy_runtime.adapters.aws.keys import DynamoKeys
from dagy_runtime.adapters.aws.people import DynamoAuditLog
from dagy_runtime.adapters.aws.system import RandomIds, SystemClock
from dagy_runtime.adapters.aws.table import Table
from dagy_runtime.engine.first_keys import mint_first_key
from dagy_runtime.engine.keys import authenticate
from dagy_runtime.values import Role

REGION: Final = "us-east-1"
_FINGERPRINT: Final = f"/dagy/{LOCAL_STAGE}/fingerprint"


@dataclass(frozen=True, slots=True)
class CloudStatus:
    """What runs. `manifest` None: the emulator runs, the stage is not in it (yet)."""

    endpoint_url: str
    pid: int
    enforces_iam: bool
    log: Path
    manifest: Manifest | None = None
    admin_key: str | None = field(default=None, repr=False)

    @property
    def api_url(self) -> str | None:
        return self.manifest.api_url if self.manifest else None


def _silent(_: str) -> None:
    return None


class LocalCloud:
    """One cloud per `home`, the folder that `DAGY_LOCAL_DIR` otherwise names. Nothing runs before `start`."""

    def __init__(
        self,
        home: Path,
        port: int | None = None,
        enforce_iam: bool = False,
        *,
        emulator_environ: Mapping[str, str] | None = None,
    ) -> None:
        self.home: Final = home
        self._port = port
        self._enforces_iam = enforce_iam
        folder = home / "cloud"
        self._emulator: Final = Emulator(folder, folder / "venv", dict(emulator_environ or {}))

    def start(self, report: Report = _silent, *, progress: Report = _silent) -> CloudStatus:
        """Start what does not run, deploy what changed, write profile `local`. A repeat changes nothing.

        Somebody else who starts the same cloud meanwhile is waited for. When it fails, the emulator stays up for
        whoever wants to look; a repeat goes on from there.
        """
        with self._changing():
            before = self._emulator.running()
            running = self._emulator.start(
                port=self._port, enforces_iam=self._enforces_iam, report=report, is_whole=self._is_whole
            )
            place = self._place(running)
            manifest = self._provisioned(place, report, progress)
            if running != before:
                rearm_reconciler(place)
            return self._status(running, manifest, self._admin_key(place.aws, manifest, report))

    def stop(self, report: Report = _silent) -> bool:
        """Stop the emulator and all it started. Whether there was anything to stop."""
        with self._changing():
            return self._emulator.stop(report)

    def reset(self, report: Report = _silent) -> CloudStatus | None:
        """Empty it. When it was running, it runs again afterwards, freshly provisioned."""
        with self._changing():
            was_running = self._emulator.stop(report)
            self._emulator.forget()
        return self.start(report) if was_running else None

    def status(self) -> CloudStatus | None:
        """None when it does not run."""
        running = self._emulator.running()
        if running is None:
            return None
        try:
            manifest = read_manifest(LOCAL_STAGE, self._place(running).aws)
        except NotFound:
            return self._status(running, None, None)
        with using_local_dir(self.home):
            return self._status(running, manifest, read_credentials().api_keys.get(LOCAL_STAGE))

    def place(self) -> Place | None:
        """Where its stage is, for those who provision. None when it does not run."""
        running = self._emulator.running()
        return self._place(running) if running is not None else None

    @property
    def log(self) -> Path:
        """What the emulator and the functions in it have written."""
        return self._emulator.log

    def _changing(self) -> AbstractContextManager[None]:
        return locked(self._emulator.home / "cloud")

    def _place(self, running: Running) -> Place:
        stage = stage_config(LOCAL_STAGE, emulator=EmulatorTarget(running.endpoint_url, running.enforces_iam))
        return Place(stage, Aws(REGION, running.endpoint_url), self._emulator.home / "cdk")

    def _status(self, running: Running, manifest: Manifest | None, admin_key: str | None) -> CloudStatus:
        return CloudStatus(
            running.endpoint_url, running.process.pid, running.enforces_iam, self.log, manifest, admin_key
        )

    def _provisioned(self, place: Place, report: Report, progress: Report) -> Manifest:
        wanted = _fingerprint(place.stage, report)
        if _deployed(place) == wanted:
            with contextlib.suppress(NotFound):  # somebody destroyed the stage since
                return read_manifest(LOCAL_STAGE, place.aws)
        ssm = place.aws.client("ssm")
        with translated("noting that a deploy begins"):
            ssm.delete_parameters(Names=[_FINGERPRINT])
        manifest = deploy(place, report, progress=progress)
        allow_recursion(place)
        let_containers_fetch(place)
        with translated("noting what was deployed"):
            ssm.put_parameter(Name=_FINGERPRINT, Value=wanted, Type="String", Overwrite=True)
        return manifest

    def _is_whole(self, running: Running) -> bool:
        return _deployed(self._place(running)) is not None

    def _admin_key(self, aws: Aws, manifest: Manifest, report: Report) -> str:
        """The key in the profile, when the stage still knows it; else a new one."""
        table, clock = Table(_Clients(aws), manifest.table), SystemClock()
        keys = DynamoKeys(table)
        with using_local_dir(self.home):
            text = read_credentials().api_keys.get(LOCAL_STAGE)
            if text is None or not _is_valid(keys, clock, text):
                report(f"Making an admin key and profile '{LOCAL_STAGE}'")
                _, text = mint_first_key(
                    keys,
                    DynamoAuditLog(table, clock),
                    clock,
                    RandomIds(),
                    name="local cloud",
                    role=Role.ADMIN,
                    expires_in_days=None,
                    created_by="dagy local start",
                )
            write_profile(
                LOCAL_STAGE,
                api_url=manifest.api_url,
                app_url=manifest.app_url,
                stage=LOCAL_STAGE,
                region=REGION,
                endpoint_url=aws.endpoint_url,
                api_key=text,
            )
        return text


def _is_valid(keys: DynamoKeys, clock: SystemClock, text: str) -> bool:
    try:
        authenticate(keys, clock, text)
    except Unauthenticated:
        return False
    return True


class _Clients(Clients):
    """The adapters' way to clients, for a caller whose credentials are not in its environment."""

    def __init__(self, aws: Aws) -> None:
        super().__init__({})
        self._aws = aws

    def get(self, service: str) -> Any:
        return self._aws.client(service)


def _fingerprint(stage: StageConfig, report: Report) -> str:
    """Everything that the templates and the zips are made of."""
    digest = hashlib.sha256(repr(stage).encode())
    for kind, asset in sorted(build_assets(target_of(stage), report=report).items()):
        digest.update(f"{kind} {asset.info.contents_sha256}\n".encode())
    package = Path(__file__).parent
    for path in sorted(package.rglob("*")):
        if path.suffix in (".py", ".json"):
            digest.update(f"{path.relative_to(package)} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def _deployed(place: Place) -> str | None:
    """The fingerprint of what is deployed; None while, or after, a deploy that did not come to its end."""
    with translated("reading what was deployed"):
        found = place.aws.client("ssm").get_parameters(Names=[_FINGERPRINT])["Parameters"]
    return str(found[0]["Value"]) if found else None
