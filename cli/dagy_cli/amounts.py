"""Amounts as people read them."""

from __future__ import annotations


def bytes_text(size: int) -> str:
    """`512 B`, `3.4 KiB`, `12.0 MiB`."""
    amount = float(size)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{amount:.0f} B" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:,.1f} TiB"


def count_text(count: int, one: str) -> str:
    """`1 run`, `1,200 runs`."""
    return f"{count:,} {one if count == 1 else f'{one}s'}"
