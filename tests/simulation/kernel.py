"""A world in one thread: every invocation is a coroutine that can be interrupted, crashed or starved before and after
each thing it asks of the world, in an order and with faults that a seed decides. The same seed gives the same story.

The engine's shells run in it unchanged, on the memory adapters. Only children are played (`children.py`).
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from greenlet import getcurrent, greenlet
from msgspec.structs import fields as port_fields

from dagy.core.errors import Unavailable
from dagy_runtime.adapters import memory
from dagy_runtime.engine.advance import advance
from dagy_runtime.engine.dead_letters import GivenUp, bury
from dagy_runtime.engine.isolated.release import release_tasks
from dagy_runtime.engine.isolated.task import run_task
from dagy_runtime.engine.reconcile import reconcile
from dagy_runtime.engine.submit import fire_schedule
from dagy_runtime.entrypoints.runtime import again_at
from dagy_runtime.messages import AdvanceRun, FireSchedule, Message, Reconcile, ReleaseTasks, RunTask, to_json
from dagy_runtime.ports import Ports

from .observing import Observer

TOTAL_S = 900.0
RETRIES_S = (60.0, 120.0)  # after which Lambda tries an asynchronous invocation again
FOREVER_S = 6 * 3600.0


class Crash(BaseException):
    """The function's process is gone, at this very moment."""


@dataclass(frozen=True)
class Faults:
    """Chances per operation or message. All 0: nothing goes wrong."""

    crash: float = 0.0
    unavailable: float = 0.0  # the operation did not happen, and the caller is told so
    reply_lost: float = 0.0  # it did happen, and the caller is told that it is unknown
    repeated: float = 0.0  # it did happen, the reply was lost, and the AWS library has asked once more
    duplicate: float = 0.0  # a message comes twice, and of these every fifth ten times
    lose: float = 0.0
    delay: float = 0.0  # by up to two minutes, so that later messages come first
    skew_s: float = 0.0  # how far a function's clock may be off, either way
    outages: tuple[tuple[float, float], ...] = ()  # from when to when nothing is to be had of the store


NONE = Faults()


@dataclass
class Kernel:
    """Time is `now`, in seconds since the beginning of the world. `hit` counts the faults that hit.

    `strike_at` is the one operation of this story that goes wrong, and `strike` how: a name of `Faults`.
    """

    seed: int
    faults: Faults = NONE
    acknowledges_first: bool = False  # a planted bug: a crash loses the message
    has_reconciler: bool = True
    wrap_store: Callable[[Any], Any] = lambda store: store  # planted bugs in what the store promises
    store_of: Callable[[], Any] | None = None  # each invocation's own, instead of that in memory, which is watched
    strike_at: int | None = None
    strike: str = "crash"
    when_struck: Callable[[], None] | None = None  # instead of a fault
    keeps_trace: bool = False
    now: float = 0.0
    hit: Counter[str] = field(default_factory=Counter)
    operations: int = 0
    are_faults_on: bool = True
    given_up: int = 0  # messages, by AWS
    answers: Counter[str] = field(default_factory=Counter)  # what invocations said they did
    trace: list[tuple[str, str, tuple[Any, ...]]] = field(default_factory=list)  # invocation, operation, arguments

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.clock = memory.FakeClock()
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._main = getcurrent()
        self.inner = memory.world(
            clock=self.clock,
            timers=_Timers(self),
            dispatcher=_Dispatcher(self),
            executions=_Executions(self),
            containers=_Executions(self, are_containers=True),
        )
        self._store = self.observer = Observer(self, self.inner.runs, self.wrap_store(self.inner.runs))
        self.workshop: Any = None

    # --- time -----------------------------------------------------------------------------------------------

    def at(self, delay_s: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._queue, (self.now + delay_s, next(self._order), act))

    def run(self, until_s: float = FOREVER_S) -> None:
        """Until nothing is left to happen."""
        while self._queue and self._queue[0][0] <= until_s:
            moment, _, act = heapq.heappop(self._queue)
            if moment > self.now:
                self.clock.advance(moment - self.now)
                self.now = moment
            act()

    def pause(self, seconds: float) -> None:
        """The invocation that asks sleeps; others go on."""
        current = getcurrent()
        self.at(seconds, lambda: current.switch())
        self._main.switch()

    # --- faults ---------------------------------------------------------------------------------------------

    def strikes(self, name: str, chance: float) -> bool:
        is_hit = self.are_faults_on and chance > 0 and self.chance.random() < chance
        self.hit[name] += is_hit
        return is_hit

    def operate(self, name: str, act: Callable[[], Any], *, is_store: bool) -> Any:
        """One thing asked of the world by an invocation."""
        self.pause(self.chance.uniform(0.001, 0.02))
        self.operations += 1
        struck = self.strike if self.operations == self.strike_at else ""
        if struck and self.when_struck is not None:
            self.when_struck()
            struck = ""
        if self._strikes("crash", struck, 0.67):
            raise Crash
        if self._strikes("unavailable", struck) or (is_store and self._is_away()):
            raise Unavailable(f"{name} is not to be had")
        answer = act()
        if self._strikes("repeated", struck):
            self.pause(self.chance.uniform(0.05, 1.0))
            answer = act()
        if self._strikes("reply_lost", struck):
            raise Unavailable(f"the reply of {name} was lost")
        if self._strikes("crash", "crash" if struck == "crash_after" else "", 0.33):
            raise Crash
        return answer

    def _strikes(self, name: str, struck: str, share: float = 1.0) -> bool:
        if struck == name:
            self.hit[name] += 1
            return True
        return self.strikes(name, getattr(self.faults, name) * share)

    def _is_away(self) -> bool:
        is_hit = self.are_faults_on and any(start <= self.now < end for start, end in self.faults.outages)
        self.hit["outage"] += is_hit
        return is_hit

    # --- AWS ------------------------------------------------------------------------------------------------

    def send(self, handle: Callable[[Ports, str], None], message: Message) -> None:
        """Asynchronous invocation: at least once, in any order, tried three times, then a dead letter."""
        copies = 1
        if self.strikes("duplicate", self.faults.duplicate):
            copies = self.chance.choice([2, 2, 2, 2, 10])
        for _ in range(copies):
            # The reconciler finds what was lost, not itself: its own message is as durable as AWS says.
            if not isinstance(message, Reconcile) and self.strikes("lose", self.faults.lose):
                continue
            delay_s = self.chance.uniform(0.01, 0.5)
            if self.strikes("delay", self.faults.delay):
                delay_s += self.chance.uniform(1.0, 120.0)
            request_id = f"request-{next(self._order)}"
            self.at(delay_s, lambda id=request_id: self._invoke(handle, message, id, tries=1))

    def _invoke(self, handle: Callable[[Ports, str], None], message: Message, request_id: str, *, tries: int) -> None:
        ports = self.ports(request_id)

        def invocation() -> None:
            try:
                handle(ports, request_id)
            except (Crash, Unavailable) as fault:
                if self.acknowledges_first:
                    return
                if tries <= len(RETRIES_S):
                    self.at(RETRIES_S[tries - 1], lambda: self._invoke(handle, message, request_id, tries=tries + 1))
                else:
                    self.given_up += 1
                    given_up = GivenUp("RetriesExhausted", request_id, tries, repr(fault), to_json(message))
                    self.at(0.1, lambda: greenlet(lambda: bury(self.inner_ports(), given_up)).switch())

        greenlet(invocation, parent=self._main).switch()

    def ports(self, request_id: str = "") -> Ports:
        """The world as one invocation has it: with interruptions and faults, and a clock of its own."""
        skew_s = self.chance.uniform(-1, 1) * self.faults.skew_s if self.are_faults_on else 0.0
        given = {f.name: getattr(self.inner, f.name) for f in port_fields(Ports)}
        for name in ("blobs", "containers", "dispatcher", "executions", "timers"):
            given[name] = _Interrupted(self, given[name], request_id)
        store = self.store_of() if self.store_of else self._store
        given["runs"] = _Interrupted(self, store, request_id, is_store=True)
        given["clock"] = _Skewed(self.clock, skew_s)
        return Ports(**given)

    def inner_ports(self) -> Ports:
        """For what is outside of the story: nothing goes wrong there."""
        given = {f.name: getattr(self.inner, f.name) for f in port_fields(Ports)}
        return Ports(**{**given, "runs": self.store_of() if self.store_of else self._store})

    def to_runtime(self, message: Message) -> None:
        self.send(lambda ports, request_id: void(self._runtime(ports, message, request_id)), message)

    def execute(self, message: RunTask, *, is_container: bool = False) -> None:
        """An execution of the task, or the container machine. AWS loses none; here they are lost and doubled like any
        message.
        """

        def go_on(ports: Ports, request_id: str) -> None:
            at = again_at(self._runtime(ports, message, request_id, is_container=is_container))
            if at is not None:
                self.at(max(0.0, at - self.clock.now()), lambda: self.execute(message))

        self.send(go_on, message)

    def to_control(self, message: Message) -> None:
        if isinstance(message, Reconcile) and self.has_reconciler:
            self.send(lambda ports, _: void(reconcile(ports)), message)
        if isinstance(message, FireSchedule):
            self.send(lambda ports, _: void(fire_schedule(ports, message)), message)

    def _runtime(self, ports: Ports, message: Message, request_id: str, *, is_container: bool = False) -> Any:
        began = self.now
        how: dict[str, Any] = {
            "time_left": lambda: TOTAL_S - (self.now - began),
            "request_id": request_id,
            "console": lambda line: None,
            "monotonic": lambda: self.now,
            "workshop": self.workshop.of(ports),
        }
        answer: Any = None
        match message:
            case AdvanceRun():
                answer = advance(ports, message, **how)
            case RunTask():
                answer = run_task(ports, message, sleep=self.pause, is_container=is_container, **how)
            case ReleaseTasks():
                answer = release_tasks(ports, message)
        self.answers[" ".join([type(answer).__name__, getattr(answer, "reason", "")]).strip()] += 1
        return answer


def void(_: object) -> None:
    """For handlers whose answer nobody reads."""


class _Interrupted:
    """A port whose every method can be interrupted, and can fail."""

    def __init__(self, kernel: Kernel, inner: Any, request_id: str, *, is_store: bool = False) -> None:
        self._kernel, self._inner, self._request_id, self._is_store = kernel, inner, request_id, is_store

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)
        kernel = self._kernel

        def operation(*args: Any, **kwargs: Any) -> Any:
            if kernel.keeps_trace:
                kernel.trace.append((self._request_id, name, args))
            return kernel.operate(name, lambda: method(*args, **kwargs), is_store=self._is_store)

        return operation


class _Skewed:
    def __init__(self, clock: memory.FakeClock, skew_s: float) -> None:
        self._clock, self._skew_s = clock, skew_s

    def now(self) -> float:
        return self._clock.now() + self._skew_s


class _Dispatcher:
    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def to_runtime(self, size: object, message: Message) -> None:
        self._kernel.to_runtime(message)

    def to_control(self, message: Message) -> None:
        self._kernel.to_control(message)


class _Executions:
    def __init__(self, kernel: Kernel, *, are_containers: bool = False) -> None:
        self._kernel, self._are_containers = kernel, are_containers

    def start(self, size: object, message: RunTask, *, name: str) -> None:
        self._kernel.execute(message, is_container=self._are_containers)


class _Timers:
    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._names: set[str] = set()

    def to_runtime_at(self, size: object, message: Message, *, at: float, name: str) -> None:
        self._set(name, at, lambda: self._kernel.to_runtime(message))

    def to_control_at(self, message: Message, *, at: float, name: str) -> None:
        self._set(name, at, lambda: self._kernel.to_control(message))

    def _set(self, name: str, at: float, fire: Callable[[], None]) -> None:
        if name not in self._names:
            self._names.add(name)
            self._kernel.at(max(0.0, at - self._kernel.clock.now()), fire)
