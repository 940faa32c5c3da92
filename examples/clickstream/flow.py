"""Fifty partitions of a click stream, counted side by side and merged: a fan-out and a fan-in."""

import random
from collections import Counter

from dagy import flow, task

COUNTRIES = ("GR", "NO", "PE", "JP", "KE")
SESSION_GAP_S = 1800


@task
def count_sessions(partition: int, clicks: int) -> dict[str, int]:
    """A session is a visitor's clicks with less than half an hour between them."""
    chance = random.Random(partition)
    last_click_s: dict[tuple[int, str], float] = {}
    sessions: Counter = Counter()
    now_s = 0.0
    for _ in range(clicks):
        now_s += chance.expovariate(1 / 20)
        visitor = (chance.randrange(200), chance.choice(COUNTRIES))
        if now_s - last_click_s.get(visitor, float("-inf")) > SESSION_GAP_S:
            sessions[visitor[1]] += 1
        last_click_s[visitor] = now_s
    return dict(sessions)


@task
def merge(counts: list[dict[str, int]]) -> dict[str, int]:
    merged: Counter = Counter()
    for count in counts:
        merged.update(count)
    print(f"{sum(merged.values())} sessions in {len(counts)} partitions")
    return dict(sorted(merged.items()))


@flow
def sessions_by_country(partitions: int = 50, clicks: int = 1000):
    return merge([count_sessions(partition, clicks) for partition in range(partitions)])
