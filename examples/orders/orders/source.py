"""A warehouse that answers, most of the time.

It stands for any remote system: the first two requests for a region break off, the third one answers. Orders
are made from the day and the region alone, so that the example has the same outcome everywhere.
"""

import datetime as dt
import random
from collections import Counter
from decimal import Decimal

from orders.models import Order

_requests: Counter = Counter()


class WarehouseUnavailable(ConnectionError):
    """The warehouse did not answer; asking again helps."""


def fetch_orders(day: dt.date, region: str) -> list[Order]:
    _requests[day, region] += 1
    if _requests[day, region] < 3:
        raise WarehouseUnavailable(f"{region}: connection reset (request {_requests[day, region]})")
    chance = random.Random(f"{day.isoformat()}/{region}")
    return [
        Order(
            id=number,
            day=day,
            region=region,
            amount=Decimal(chance.randrange(500, 20_000)) / 100,
            is_refund=chance.random() < 0.1,
        )
        for number in range(chance.randrange(20, 40))
    ]
