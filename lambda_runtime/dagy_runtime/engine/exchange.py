"""Results between a child process and the store: what it made goes in, what it needs of earlier tasks comes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from dagy.core.errors import ArtifactSerializationError, NotFound
from dagy.results import Encoded
from dagy_runtime.engine.results import load_result, store_result, store_result_file
from dagy_runtime.ports import Ports, Pulse
from dagy_runtime.values import ResultRef, TaskRun
from dagy_runtime.worker.frames import Payload, Refused, ResultGiven, ToChild
from dagy_runtime.worker.payloads import Handover, to_payload

_AT_ONCE: Final = 100  # what one DynamoDB batch read takes


@dataclass
class Exchange:
    """Of one run in one invocation. `pulse` is called while something large is under way.

    `stored` are tasks as they stood when the invocation began. `expected` are results that the child will want, in that
    order: a join of thousands reads them in hundreds.
    """

    ports: Ports
    run_id: str
    handover: Handover
    pulse: Pulse
    stored: Mapping[str, TaskRun] = field(default_factory=dict)
    expected: Sequence[str] = ()
    _read: dict[str, ResultRef] = field(default_factory=dict)  # and not given yet

    def store(self, task_run_id: str, attempt_id: str, payload: Payload) -> ResultRef:
        """Durable when this returns. Raises: Nonsense for a payload that is none."""
        where: dict[str, Any] = {"run_id": self.run_id, "task_run_id": task_run_id, "attempt_id": attempt_id}
        if payload.data is not None:
            encoded = Encoded(payload.codec, payload.data, payload.sha256)
            return store_result(self.ports.blobs, **where, encoded=encoded)
        with self.handover.taken(payload) as path:
            return store_result_file(
                self.ports.blobs, **where, path=path, codec=payload.codec, sha256=payload.sha256, pulse=self.pulse
            )

    def give(self, number: int, task_run_id: str) -> ToChild:
        """The answer to a `ResultWanted` of that number: the accepted result, or why there is none."""
        ref = self._accepted(task_run_id)
        if ref is None:
            return Refused(number, f"Task run {task_run_id} has no stored result")
        try:
            if ref.key is not None:
                return ResultGiven(number, self._fetched(ref, ref.key))
            encoded = load_result(self.ports.blobs, ref)
            return ResultGiven(number, to_payload(encoded, folder=self.handover.folder))
        except (NotFound, ArtifactSerializationError) as error:
            return Refused(number, f"The stored result of {task_run_id} cannot be read: {error}")

    def _accepted(self, task_run_id: str) -> ResultRef | None:
        known = self.stored.get(task_run_id)
        if known is not None and known.result is not None:
            return known.result
        if task_run_id not in self._read:
            start = self.expected.index(task_run_id) if task_run_id in self.expected else None
            wanted = [task_run_id] if start is None else self.expected[start : start + _AT_ONCE]
            self._read.update(self.ports.runs.get_results(self.run_id, wanted))
        return self._read.pop(task_run_id, None)

    def _fetched(self, ref: ResultRef, key: str) -> Payload:
        path = self.handover.new_path()
        try:
            self.ports.blobs.get_file(key, path, pulse=self.pulse)
        except OSError as error:
            path.unlink(missing_ok=True)
            raise ArtifactSerializationError(
                f"it takes {ref.size_bytes / 2**20:,.0f} MiB, and there is no room for it ({error.strerror or error})"
            ) from error
        return Payload(ref.codec, ref.sha256, ref.size_bytes, path=str(path))
