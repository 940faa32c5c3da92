"""The day's orders of every region: fetched from a source that fails now and then, summed, and compared.

Shows a project of several modules (the package `orders` beside this file is deployed with it), typed parameters
(`--param day=2026-03-04` arrives as a `datetime.date`), and retries for the errors that deserve them.
"""

import datetime as dt
from decimal import Decimal

from orders.models import Order
from orders.source import WarehouseUnavailable, fetch_orders
from orders.totals import net_total

from dagy import flow, task

REGIONS = ("athens", "oslo", "lima")


@task(
    retries=3,
    retry_delay_seconds=[0.05, 0.1, 0.2],
    retry_jitter_factor=0.5,
    retry_condition_fn=lambda error: isinstance(error, WarehouseUnavailable),
    timeout_seconds=30,
)
def fetch(day: dt.date, region: str) -> list[Order]:
    orders = fetch_orders(day, region)
    print(f"{region}: {len(orders)} orders on {day}")
    return orders


@task
def total(orders: list[Order]) -> Decimal:
    return net_total(orders)


@task
def summarise(day: dt.date, totals: dict[str, Decimal], minimum: Decimal) -> dict:
    for region, amount in totals.items():
        print(f"{region}: {amount}")
    return {
        "day": day,
        "total": sum(totals.values(), Decimal(0)),
        "best": max(totals, key=lambda region: totals[region]),
        "below_minimum": sorted(region for region, amount in totals.items() if amount < minimum),
    }


@flow(version="1.0.0")
def daily_orders(day: dt.date = dt.date(2026, 3, 4), minimum: Decimal = Decimal(1000)):
    totals = {region: total(fetch(day, region)) for region in REGIONS}
    return summarise(day, totals, minimum)
