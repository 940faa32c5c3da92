"""A daily report from real weather records: extract, clean, aggregate by month, check, report.

The data set travels inside the artifact (`--include 'data/*.csv'`), so the same flow runs on a laptop and on Lambda.
"""

import csv
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from dagy import flow, task

DATA = Path(__file__).parent / "data" / "seattle-weather.csv"


@dataclass(frozen=True)
class Day:
    date: str
    precipitation_mm: float
    high_c: float
    low_c: float
    weather: str


@dataclass(frozen=True)
class Month:
    month: str
    days: int
    rain_mm: float
    mean_high_c: float
    wettest_day: str


@task(description="Read the raw records of one year")
def extract(year: int) -> list[dict]:
    with DATA.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["date"].startswith(f"{year}-")]
    print(f"read {len(rows)} rows of {year} from {DATA.name}")
    return rows


@task(description="Give the records types and drop those that cannot be true")
def clean(rows: list[dict]) -> list[Day]:
    days = []
    for row in rows:
        day = Day(
            row["date"],
            float(row["precipitation"]),
            float(row["temp_max"]),
            float(row["temp_min"]),
            row["weather"],
        )
        if day.low_c <= day.high_c and day.precipitation_mm >= 0:
            days.append(day)
    print(f"kept {len(days)} of {len(rows)} rows")
    return days


@task(description="Condense the days of each month")
def by_month(days: list[Day]) -> list[Month]:
    months: dict[str, list[Day]] = defaultdict(list)
    for day in days:
        months[day.date[:7]].append(day)
    return [
        Month(
            month=month,
            days=len(of_month),
            rain_mm=round(sum(day.precipitation_mm for day in of_month), 1),
            mean_high_c=round(sum(day.high_c for day in of_month) / len(of_month), 1),
            wettest_day=max(of_month, key=lambda day: day.precipitation_mm).date,
        )
        for month, of_month in sorted(months.items())
    ]


@task(description="Refuse a year with holes")
def check(months: list[Month]) -> list[Month]:
    if len(months) != 12:
        raise ValueError(f"expected 12 months, found {len(months)}")
    short = [month.month for month in months if month.days < 28]
    if short:
        raise ValueError(f"months with missing days: {', '.join(short)}")
    return months


@task(description="What people want to know of the year")
def report(year: int, months: list[Month]) -> dict:
    wettest = max(months, key=lambda month: month.rain_mm)
    warmest = max(months, key=lambda month: month.mean_high_c)
    total_mm = round(sum(month.rain_mm for month in months), 1)
    print(f"{year}: {total_mm} mm of rain, most in {wettest.month}; warmest month {warmest.month}")
    return {
        "year": year,
        "rain_mm": total_mm,
        "wettest_month": wettest.month,
        "warmest_month": warmest.month,
        "rain_by_month_mm": {month.month: month.rain_mm for month in months},
    }


@flow(description="Yearly weather report for Seattle")
def weather_report(year: int = 2012):
    return report(year, check(by_month(clean(extract(year)))))
