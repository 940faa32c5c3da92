"""What an isolated task costs to coordinate: requests, DynamoDB units and dollars, by shape and size of the flow.

    .venv/bin/python benchmarks/task_costs.py [--sizes 10,100,1000] [--shapes chain,fan-out,…]

The engine's shells and the AWS adapters run as they are, on moto, in the simulation's kernel with no faults; only the
children are played, and each invocation is a cold one, which remembers nothing. Ten thousand tasks of one shape take
about six minutes. `tests/simulation/test_costs_of_tasks.py` asserts the same at small sizes.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "benchmarks")]

import prices  # noqa: E402
from metering import Units  # noqa: E402

from dagy_runtime.adapters.aws import schema  # noqa: E402
from dagy_runtime.adapters.aws.blobs import S3Blobs  # noqa: E402
from dagy_runtime.adapters.aws.clients import Clients  # noqa: E402
from dagy_runtime.adapters.aws.packing import Packing  # noqa: E402
from dagy_runtime.adapters.aws.runs import DynamoRunStore  # noqa: E402
from dagy_runtime.adapters.aws.table import Table  # noqa: E402
from simulation import references  # noqa: E402
from simulation.children import Shape  # noqa: E402
from simulation.kernel import NONE  # noqa: E402
from simulation.stories import Story, Telling  # noqa: E402

REQUEST_S = 0.010
"""Of the function's time for each request it makes: 5 ms until DynamoDB answers, and as much for boto3 on the seventh
of a processor that comes with a quarter of a GiB. What the task takes (fork, import, trace, its code) is its own.
"""
GIB = 0.25  # nano


def side_of(size: int) -> int:
    return max(2, round(size**0.5))


SHAPES = {
    "chain": references.chain,
    "fan-out": lambda size: references.fan_out(size - 1),
    "fan-in": lambda size: references.fan_in(size - 1),
    "lattice": lambda size: references.lattice(side_of(size), side_of(size)),
}


@dataclass
class Bill:
    """Of one run. `run` is what it costs whatever its size: its beginning and end; `tasks` all the rest."""

    tasks: int
    edges: int
    reads: float = 0.0
    writes: float = 0.0
    at_joins: float = 0.0  # of these
    requests: Counter[str] = field(default_factory=Counter)  # to AWS, by name
    invocations: int = 0
    release_invocations: int = 0

    @property
    def calls(self) -> int:
        return sum(self.requests.values())

    def dollars(self) -> float:
        """For coordination: the artifact is fetched once per invocation, nothing is logged."""
        return (
            self.reads * prices.READ_UNIT
            + self.writes * prices.WRITE_UNIT
            + self.invocations * (prices.INVOCATION + prices.S3_GET)
            + (self.calls + self.invocations) * REQUEST_S * GIB * prices.GIB_SECOND
            + self.requests["PutObject"] * prices.S3_PUT
            + self.requests["GetObject"] * prices.S3_GET
        )

    def minus(self, other: Bill) -> Bill:
        return Bill(
            self.tasks - other.tasks, self.edges - other.edges, self.reads - other.reads, self.writes - other.writes,
            self.at_joins - other.at_joins, self.requests - other.requests, self.invocations - other.invocations,
            self.release_invocations - other.release_invocations,
        )  # fmt: skip

    def per_task(self) -> dict[str, float]:
        return {
            "read units": self.reads / self.tasks,
            "write units": self.writes / self.tasks,
            "of these at joins": self.at_joins / self.tasks,
            "requests": self.calls / self.tasks,
            "invocations": self.invocations / self.tasks,
            "dollars per million": self.dollars() / self.tasks * 1e6,
        }


def metered(shape: dict[str, tuple[str, ...]], *, clients: Clients, table: str) -> Bill:
    """Tell the story of one run on that table, which has no other, and count. No reconciler looks: what that costs
    depends on how long the run takes, and is at most two reads a minute for each of a thousand tasks.
    """
    units = Units()
    bill = Bill(len(shape), sum(map(len, shape.values())))
    dynamodb, s3 = clients.get("dynamodb"), clients.get("s3")

    def count(model: Any, **_: Any) -> None:
        bill.requests[model.name] += 1

    story = Story(Shape(shape, dict.fromkeys(shape, 0.01), {}), NONE)
    units.watch(dynamodb)
    for client, name in ((dynamodb, "dynamodb"), (s3, "s3")):
        client.meta.events.register(f"after-call.{name}", count, unique_id=f"count-{name}")
    try:
        telling = Telling(1, story, store_of=lambda: one_store(clients, table), has_reconciler=False)
    finally:
        units.unwatch(dynamodb)
        for client, name in ((dynamodb, "dynamodb"), (s3, "s3")):
            client.meta.events.unregister(f"after-call.{name}", count, unique_id=f"count-{name}")
    run = one_store(clients, table).get_run("run-1")
    if run is None or run.status != "SUCCEEDED":
        raise SystemExit(f"the run is {run}")
    bill.reads, bill.writes, _ = units.take()
    bill.at_joins = units.updates["JOIN"]
    bill.invocations = sum(telling.kernel.answers.values())
    bill.release_invocations = telling.kernel.answers["Released"]
    return bill


def one_store(clients: Clients, table: str) -> DynamoRunStore:
    return DynamoRunStore(Table(clients, table), Packing(S3Blobs(clients, table)))


def new_table(clients: Clients, name: str) -> str:
    clients.get("dynamodb").create_table(TableName=name, **schema.table_definition())
    clients.get("s3").create_bucket(Bucket=name)
    return name


def bill_of(shape: dict[str, tuple[str, ...]], *, clients: Clients, name: str) -> Bill:
    return metered(shape, clients=clients, table=new_table(clients, name))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sizes", default="10,100,1000")
    parser.add_argument("--shapes", default=",".join(SHAPES))
    options = parser.parse_args()
    os.environ |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    os.environ.pop("AWS_ENDPOINT_URL", None)
    from moto import mock_aws

    with mock_aws():
        clients = Clients({"AWS_REGION": "us-east-1"})
        least = bill_of(references.chain(1), clients=clients, name="dagy-least")
        print(
            "| shape | tasks | read units | write units | of these at joins | requests | invocations | $ per million |"
        )
        print("|---|---|---|---|---|---|---|---|")
        print(_row("a run of one task, all of it", 1, least.per_task()))
        for shape in options.shapes.split(","):
            for size in map(int, options.sizes.split(",")):
                bill = bill_of(SHAPES[shape](size), clients=clients, name=f"dagy-{shape}-{size}")
                print(_row(shape, bill.tasks, bill.minus(least).per_task()), flush=True)


def _row(shape: str, tasks: int, per_task: dict[str, float]) -> str:
    figures = [f"{figure:.2f}" for figure in per_task.values()]
    return f"| {shape} | {tasks:,} | {' | '.join(figures)} |"


if __name__ == "__main__":
    main()
