"""On paper: how long until all of N ready tasks run, by three ways of starting them, from AWS's documented figures.

    .venv/bin/python benchmarks/scaling_model.py

Tasks are long (nobody gives a place back), functions cold, quotas of concurrency out of the way: what is left is how
fast each service may start. Sources, all of AWS's own documentation:

- Lambda: 1,000 more execution environments per function every 10 seconds, refilled continuously ("Lambda scaling
  behavior"). Dagy has one function per size, so this is each size's.
- SQS event-source mapping: five batches at first, 300 more concurrent invocations a minute, 1,250 at most
  ("Configuring scaling behavior for SQS event source mappings").
- Step Functions: 10,000 children of a Distributed Map at once; state transitions of standard workflows from a bucket of
  5,000 that is refilled with 5,000 a second in the largest regions ("Service quotas"). Each child takes three: it
  starts, enters its task, leaves it. Its functions are scaled by the same rule of Lambda.
"""

from __future__ import annotations

LAMBDA_PER_S = 100.0
BURST = 1_000
INVOKE_S = 0.015  # one asynchronous Invoke from a function, and the next only after it
HOP_S = 0.25  # from an Invoke to the code of a warm function that releases
COLD_S = 0.8  # from a place to user code
AT_ONCE = 50


def lambda_places(count: int) -> float:
    """Seconds until a function has had `count` places to give, from none."""
    return max(0.0, (count - BURST) / LAMBDA_PER_S)


def dagy_tree(count: int) -> float:
    """Until the last message of the release is sent: each invocation sends at most fifty."""
    if count <= AT_ONCE:
        return count * INVOKE_S
    part = max(AT_ONCE, -(-count // AT_ONCE))
    return -(-count // part) * INVOKE_S + HOP_S + dagy_tree(min(part, count))


def by_dagy(count: int) -> float:
    return max(dagy_tree(count), lambda_places(count)) + COLD_S


def by_distributed_map(count: int) -> float:
    transitions = max(0.0, (3 * count - 5_000) / 5_000)
    return max(transitions, lambda_places(count)) + COLD_S


def by_one_queue(count: int) -> float | None:
    """None when the mapping never has so many at once."""
    sent = count / 10 * INVOKE_S / 50  # batches of ten, from fifty senders
    return None if count > 1_250 else max(sent, (count - 5) / 300 * 60) + COLD_S


def by_one_sender(count: int) -> float:
    """For comparison: no tree, the finished parent sends all of it."""
    return max(count * INVOKE_S, lambda_places(count)) + COLD_S


def main() -> None:
    print("| ready tasks | Dagy's tree of releases | Distributed Map | one SQS mapping | one sender, no tree |")
    print("|---|---|---|---|---|")
    for count in (50, 100, 500, 1_000, 1_250, 3_000, 10_000):
        queue = by_one_queue(count)
        waits = [by_dagy(count), by_distributed_map(count), queue, by_one_sender(count)]
        cells = ["never: 1,250 at once" if wait is None else f"{wait:.1f} s" for wait in waits]
        print(f"| {count:,} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
