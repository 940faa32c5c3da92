"""Weekly sales by region, with pandas: a flow whose third-party modules come in a dependency package.

dagy packages create examples/sales/requirements.txt
dagy deploy examples/sales/flow.py:weekly_sales --dep-packages <slug> --execution-mode small
"""

from __future__ import annotations

from dagy import flow, task


@task
def read_orders(days: int) -> list[dict[str, object]]:
    regions = ("north", "south", "west")
    return [
        {"day": f"2026-03-{day + 1:02}", "region": regions[(day * 7 + n) % 3], "amount": (day * 13 + n * 5) % 40 + 1}
        for day in range(days)
        for n in range(20)
    ]


@task
def by_week(orders: list[dict[str, object]]) -> dict[str, dict[str, int]]:
    import pandas as pd

    frame = pd.DataFrame(orders).assign(day=lambda f: pd.to_datetime(f["day"]))
    weekly = frame.groupby([frame["day"].dt.strftime("%G-W%V"), "region"])["amount"].sum().unstack()
    return {str(week): {str(region): int(total) for region, total in row.items()} for week, row in weekly.iterrows()}


@flow
def weekly_sales(days: int = 14):
    return by_week(read_orders(days))
