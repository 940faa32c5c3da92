"""Sums over orders."""

from decimal import Decimal

from orders.models import Order


def net_total(orders: list[Order]) -> Decimal:
    return sum((-order.amount if order.is_refund else order.amount for order in orders), Decimal(0))
