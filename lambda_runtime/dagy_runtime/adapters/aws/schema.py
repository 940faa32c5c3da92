"""The layout of a stage's one table: its keys, its indexes, and where each thing lies. Imports no AWS library, so
that the stacks can read it.

| item              | pk                  | sk             | indexed by                                        |
|-------------------|---------------------|----------------|---------------------------------------------------|
| flow version      | `FLOW#<name>`       | `V#<version>`  | gsi4 `FLOWS`: name#version                        |
| its newest one    | `FLOW#<name>`       | `LATEST`       |                                                   |
| what it was       | `FLOW#<name>`       | `R#<version>#<sha256>` |                                           |
| deployment        | `DEPLOYMENT#<name>` | `META`         | gsi2 `DEPLOYMENTS#<flow>`, gsi4 `DEPLOYMENTS`: name |
| its versions      | `DEPLOYMENT#<name>` | `VERSION#<created_at>#<n>` |                                       |
| run               | `RUN#<id>`          | `META`         | gsi1 `RUNS#<status>`, gsi2 `RUNS#<flow>`,         |
|                   |                     |                | gsi3 `RUNS#<deployment>`, gsi4 `RUNS`: time#id    |
| lease of a run    | `RUN#<id>`          | `LEASE`        | nothing, so renewals touch no index               |
| task list         | `RUN#<id>`          | `TASKS#<n>`    |                                                   |
| event             | `RUN#<id>`          | `EVENT#<ulid>` |                                                   |
| places of tasks   | `RUN#<id>#<shard>`  | `PLACES#<n>`   |                                                   |
| task run          | `RUN#<id>#<shard>`  | `TASK#<id>`    |                                                   |
| node of a join    | `RUN#<id>#<shard>`  | `JOIN#<node>`  |                                                   |
| permit holders    | `RUN#<semaphore>`   | `HOLDERS`      |                                                   |
| who waits for one | `RUN#<semaphore>`   | `WAITS#<entry>`|                                                   |
| idempotency key   | `IDEM#<sha256>`     | `META`         | (goes by TTL)                                     |
| kept answer       | `IDEM#<sha256>`     | `ANSWER`       | (goes by TTL)                                     |
| draft             | `DRAFT#<id>`        | `META`         | gsi4 `DRAFTS`: time#id                            |
| its canvas        | `DRAFT#<id>`        | `CANVAS`       |                                                   |
| API key           | `KEY#<id>`          | `META`         | gsi4 `KEYS`: time#id                              |
| user              | `USER#<id>`         | `META`         |                                                   |
| session that ended| `SESSION#<id>`      | `META`         | (goes by TTL)                                     |
| audit entry       | `AUDIT#<month>`     | `<ulid>`       | (goes by TTL)                                     |
| package           | `PACKAGE#<slug>`    | `META`         | gsi4 `PACKAGES`: time#slug                        |
| dead letter       | `DEADLETTER#<id>`   | `META`         | gsi4 `DEADLETTERS`: time#id                       |

**Tasks.** What never changes about the tasks of a run (id, name, position, parents) is one packed item per 500 tasks,
written once; what does change is one small item per task that has started, found by its id alone. So planning
10,000 tasks is 20 writes, a page in the flow's order is one read of the list and one batch read of states, and
nothing is written for a task that never starts. The states of a run are spread over 16 partitions by a hash of the
id: 16,000 writes a second before DynamoDB throttles one run.

**Places.** Of a run whose tasks are isolated, the same is kept once more, 16 tasks to an item, each with the tasks that
wait for it: an invocation for one task reads one item of about 3 KiB, whatever the size of the flow.

Every item carries `v`, the version of this layout. Readers ignore attributes they do not know.
"""

from __future__ import annotations

import hashlib
import zlib
from typing import Any, Final

from msgspec import Struct

SCHEMA_VERSION: Final = 1
PARTITION_KEY: Final = "pk"
SORT_KEY: Final = "sk"
TTL_ATTRIBUTE: Final = "ttl"
INDEXES: Final = ("gsi1", "gsi2", "gsi3", "gsi4")  # projection ALL

BY_STATUS: Final = "gsi1"
BY_FLOW: Final = "gsi2"
BY_DEPLOYMENT: Final = "gsi3"
BY_KIND: Final = "gsi4"

TASK_SHARDS: Final = 16
TASKS_PER_LIST_ITEM: Final = 500
PLACES_PER_ITEM: Final = 16
FLOW_VERSION_PREFIX: Final = "V#"
EVENT_PREFIX: Final = "EVENT#"
EVENT_END: Final = "EVENT$"  # above every event: `$` comes after `#`
TASK_LIST_PREFIX: Final = "TASKS#"
_QUEUE_PREFIX: Final = "WAITS#"
QUEUE_END: Final = "WAITS$"  # above every entry


class Key(Struct, frozen=True):
    """Where an item lies."""

    pk: str
    sk: str = "META"


def index_keys(index: str) -> tuple[str, str]:
    """The attributes that are the partition and sort key of an index."""
    return f"{index}pk", f"{index}sk"


def flow_key(name: str, version: str) -> Key:
    return Key(f"FLOW#{name}", f"V#{version}")


def latest_flow_key(name: str) -> Key:
    return Key(f"FLOW#{name}", "LATEST")


def flow_revision_key(name: str, version: str, sha256: str) -> Key:
    return Key(f"FLOW#{name}", f"R#{version}#{sha256}")


def deployment_key(name: str) -> Key:
    return Key(f"DEPLOYMENT#{name}")


def deployment_version_key(name: str, created_at: str, number: int) -> Key:
    """With the time of the deployment's creation: of one that was deleted and made again, nothing is taken for its
    own that was the other's.
    """
    return Key(f"DEPLOYMENT#{name}", f"{deployment_version_prefix(created_at)}{number:08d}")


def deployment_version_prefix(created_at: str) -> str:
    return f"VERSION#{created_at}#"


def run_key(run_id: str) -> Key:
    return Key(f"RUN#{run_id}")


def lease_key(run_id: str) -> Key:
    return Key(f"RUN#{run_id}", "LEASE")


def task_list_key(run_id: str, number: int) -> Key:
    return Key(f"RUN#{run_id}", f"{TASK_LIST_PREFIX}{number:06d}")


def places_key(run_id: str, position: int) -> Key:
    number = position // PLACES_PER_ITEM
    return Key(f"RUN#{run_id}#{number % TASK_SHARDS:02d}", f"PLACES#{number:06d}")


def task_key(run_id: str, task_run_id: str) -> Key:
    return Key(f"RUN#{run_id}#{zlib.crc32(task_run_id.encode()) % TASK_SHARDS:02d}", f"TASK#{task_run_id}")


def join_key(run_id: str, node: str) -> Key:
    return Key(f"RUN#{run_id}#{zlib.crc32(node.encode()) % TASK_SHARDS:02d}", f"JOIN#{node}")


def semaphore_key(semaphore: str) -> Key:
    """Under the prefix of runs, which is what runtime functions may reach."""
    return Key(f"RUN#{semaphore}", "HOLDERS")


def queue_key(semaphore: str, entry: str) -> Key:
    return Key(f"RUN#{semaphore}", f"{_QUEUE_PREFIX}{entry}")


def event_key(run_id: str, event_id: str) -> Key:
    return Key(f"RUN#{run_id}", f"{EVENT_PREFIX}{event_id}")


def idempotency_key(text: str) -> Key:
    return Key(f"IDEM#{hashlib.sha256(text.encode()).hexdigest()}")


def answer_key(text: str) -> Key:
    return Key(idempotency_key(text).pk, "ANSWER")


def draft_key(draft_id: str) -> Key:
    return Key(f"DRAFT#{draft_id}")


def canvas_key(draft_id: str) -> Key:
    return Key(f"DRAFT#{draft_id}", "CANVAS")


def api_key_key(key_id: str) -> Key:
    return Key(f"KEY#{key_id}")


def user_key(user_id: str) -> Key:
    return Key(f"USER#{user_id}")


def session_key(session_id: str) -> Key:
    return Key(f"SESSION#{session_id}")


def audit_key(at: str, entry_id: str) -> Key:
    """A partition for each month: lists need no index, which would double what an entry costs."""
    return Key(f"AUDIT#{at[:7]}", entry_id)


def package_key(slug: str) -> Key:
    return Key(f"PACKAGE#{slug}")


def dead_letter_key(letter_id: str) -> Key:
    return Key(f"DEADLETTER#{letter_id}")


def flow_index(name: str, version: str) -> dict[str, str]:
    return _indexed((BY_KIND, "FLOWS", f"{name}#{version}"))


def deployment_index(name: str, flow_name: str) -> dict[str, str]:
    return _indexed((BY_FLOW, f"DEPLOYMENTS#{flow_name}", name), (BY_KIND, "DEPLOYMENTS", name))


def run_index(run_id: str, *, created_at: str, status: str, flow_name: str, deployment: str | None) -> dict[str, str]:
    order = f"{created_at}#{run_id}"
    entries = [(BY_STATUS, status_partition(status), order), (BY_FLOW, f"RUNS#{flow_name}", order)]
    if deployment is not None:
        entries.append((BY_DEPLOYMENT, f"RUNS#{deployment}", order))
    return _indexed(*entries, (BY_KIND, "RUNS", order))


def status_partition(status: str) -> str:
    """Where gsi1 keeps the runs of a status: the one index key that changes in a run's life."""
    return f"RUNS#{status}"


def api_key_index(key_id: str, created_at: str) -> dict[str, str]:
    return _indexed((BY_KIND, "KEYS", f"{created_at}#{key_id}"))


def draft_index(draft_id: str, created_at: str) -> dict[str, str]:
    return _indexed((BY_KIND, "DRAFTS", f"{created_at}#{draft_id}"))


def package_index(slug: str, created_at: str) -> dict[str, str]:
    return _indexed((BY_KIND, "PACKAGES", f"{created_at}#{slug}"))


def dead_letter_index(letter_id: str, at: str) -> dict[str, str]:
    return _indexed((BY_KIND, "DEADLETTERS", f"{at}#{letter_id}"))


def table_definition() -> dict[str, Any]:
    """What `CreateTable` wants besides a name: for tests, and for whoever makes the table without the stacks."""
    keys = [(PARTITION_KEY, SORT_KEY), *map(index_keys, INDEXES)]
    return {
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for pair in keys for name in pair],
        "KeySchema": _key_schema(PARTITION_KEY, SORT_KEY),
        "GlobalSecondaryIndexes": [
            {"IndexName": index, "KeySchema": _key_schema(*index_keys(index)), "Projection": {"ProjectionType": "ALL"}}
            for index in INDEXES
        ],
    }


def _key_schema(partition: str, sort: str) -> list[dict[str, str]]:
    return [{"AttributeName": partition, "KeyType": "HASH"}, {"AttributeName": sort, "KeyType": "RANGE"}]


def _indexed(*entries: tuple[str, str, str]) -> dict[str, str]:
    attributes: dict[str, str] = {}
    for index, partition, order in entries:
        partition_attribute, sort_attribute = index_keys(index)
        attributes |= {partition_attribute: partition, sort_attribute: order}
    return attributes
