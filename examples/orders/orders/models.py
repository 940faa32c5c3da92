"""What an order is."""

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True)
class Order:
    id: int
    day: dt.date
    region: str
    amount: Decimal
    is_refund: bool = False
