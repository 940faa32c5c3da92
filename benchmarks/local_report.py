"""What the measurements of the local runner say: a table, a picture, and whether the goals are met. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

BEGIN, END = "<!-- local-runner:begin -->", "<!-- local-runner:end -->"


@dataclass(frozen=True, slots=True)
class Shape:
    name: str
    title: str
    kind: str
    tasks: int
    workers: int


@dataclass(frozen=True, slots=True)
class System:
    """`tasks` says for which shapes it gets fewer, because it takes so long for each."""

    name: str
    title: str
    keeps: str
    tasks: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Measurement:
    """Of one process. `place` is the kind of file system it wrote to."""

    place: str
    system: str
    shape: str
    tasks: int
    s: float
    cpu_s: float
    peak_mib: float

    @property
    def ms_per_task(self) -> float:
        return self.s / self.tasks * 1e3


class Figures:
    """Medians over the rounds of one place."""

    def __init__(self, measurements: Sequence[Measurement]) -> None:
        self._all = measurements

    def of(self, system: str, shape: str) -> list[Measurement]:
        return [each for each in self._all if (each.system, each.shape) == (system, shape)]

    def ms(self, system: str, shape: str) -> float | None:
        found = [each.ms_per_task for each in self.of(system, shape)]
        return statistics.median(found) if found else None

    def spread_ms(self, system: str, shape: str) -> tuple[float, float]:
        found = [each.ms_per_task for each in self.of(system, shape)]
        return min(found), max(found)

    def peak_mib(self, system: str, shape: str) -> float | None:
        return max((each.peak_mib for each in self.of(system, shape)), default=None)

    def ratio(self, system: str, other: str, shape: str) -> float | None:
        mine, others = self.ms(system, shape), self.ms(other, shape)
        return None if mine is None or others is None else mine / others


def table(figures: Figures, systems: Sequence[System], shapes: Sequence[Shape]) -> str:
    """Markdown. Milliseconds for each task, how many times Dagy's that is, and the number of tasks where it is less."""
    shown = [shape for shape in shapes if figures.of("dagy", shape.name)]
    lines = [
        f"| ms per task | keeps | {' | '.join(shape.title for shape in shown)} |",
        f"|---|---|{'---|' * len(shown)}",
    ]
    for system in systems:
        cells = [_cell(figures, system, shape) for shape in shown]
        if any(cells):
            lines.append(f"| {system.title} | {system.keeps} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(figures: Figures, system: System, shape: Shape) -> str:
    ms = figures.ms(system.name, shape.name)
    if ms is None:
        return ""
    if system.name == "dagy":
        return f"**{_number(ms)}**"
    ratio = figures.ratio(system.name, "dagy", shape.name)
    tasks = figures.of(system.name, shape.name)[0].tasks
    fewer = "" if tasks >= shape.tasks else f", {tasks:,} tasks"
    return _number(ms) + (f" ({_times(ratio)}{fewer})" if ratio is not None else "")


def _number(ms: float) -> str:
    return f"{ms:.3f}" if ms < 1 else f"{ms:#.3g}"


def _times(ratio: float) -> str:
    return f"{ratio:.2g}×" if ratio < 10 else f"{ratio:.0f}×"


@dataclass(frozen=True, slots=True)
class Goal:
    title: str
    figure: str
    is_met: bool


def goals(figures: Figures, *, import_ms: float) -> list[Goal]:
    dbos = figures.ratio("dbos", "dagy", "fan-1000")
    prefect = figures.ratio("prefect", "dagy", "fan-1000")
    dask = figures.ratio("dagy", "dask", "fan-1000")
    few, many = figures.ms("dagy", "fan-1000"), figures.ms("dagy", "fan-10000")
    growth = many / few if many is not None and few is not None else None
    peak = figures.peak_mib("dagy", "fan-10000")

    def goal(title: str, figure: float | None, unit: str, *, least: float = -math.inf, most: float = math.inf) -> Goal:
        if figure is None:
            return Goal(title, "not measured", False)
        return Goal(title, f"{figure:.3g}{unit}", least <= figure <= most)

    return [
        goal("DBOS on SQLite takes at least 8 times as long for each task of 1,000", dbos, "×", least=8),
        goal("Prefect takes at least 25 times as long", prefect, "×", least=25),
        goal("at most 1.5 times as long as dask.delayed, which records nothing", dask, "×", most=1.5),
        goal("a task of 10,000 costs at most 1.25 times one of 1,000", growth, "×", most=1.25),
        goal("10,000 tasks stay below 250 MB", peak and peak * 1.048576, " MB", most=250),
        goal("`import dagy` takes at most 40 ms more than an empty interpreter", import_ms, " ms", most=40),
    ]


def goals_table(by_place: Mapping[str, Sequence[Goal]]) -> str:
    """Markdown; a figure that misses its goal is followed by the word."""
    lines = [f"| goal | {' | '.join(f'files on {place}' for place in by_place)} |", f"|---|{'---|' * len(by_place)}"]
    for row in zip(*by_place.values(), strict=True):
        cells = [each.figure + ("" if each.is_met else ", missed") for each in row]
        lines.append(f"| {row[0].title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def picture(figures: Figures, systems: Sequence[System], shape: Shape, place: str) -> str:
    """An SVG of bars on a logarithmic scale, for light and dark pages."""
    rows = [(system, ms) for system in systems if (ms := figures.ms(system.name, shape.name)) is not None]
    rows.sort(key=lambda row: row[1])
    left, width, row_height, top = 190, 440, 30, 52
    low = math.floor(math.log10(min(ms for _, ms in rows)))
    high = math.ceil(math.log10(max(ms for _, ms in rows)))
    bottom = top + row_height * len(rows)

    def x(ms: float) -> float:
        return left + width * (math.log10(ms) - low) / (high - low)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 {bottom + 40}" role="img" font-size="13" '
        'font-family="system-ui, sans-serif">',
        f"<title>Milliseconds for each task: {escape(shape.title)}</title>",
        "<style>text{fill:#1f2328}.quiet{fill:#59636e}.grid{stroke:#d1d9e0}.bar{fill:#8c959f}.dagy{fill:#0969da}"
        "@media(prefers-color-scheme:dark){text{fill:#f0f6fc}.quiet{fill:#9198a1}.grid{stroke:#3d444d}"
        ".bar{fill:#656c76}.dagy{fill:#4493f8}}</style>",
        f'<text x="16" y="24" font-size="15" font-weight="600">{escape(shape.title)}: ms for each task</text>',
        f'<text class="quiet" x="16" y="{bottom + 20}">files on {escape(place)}</text>',
    ]
    for power in range(low, high + 1):
        at = x(10.0**power)
        parts.append(f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="{top - 8}" y2="{bottom}"/>')
        parts.append(f'<text class="quiet" x="{at:.1f}" y="{bottom + 20}" text-anchor="middle">{10.0**power:g}</text>')
    for number, (system, ms) in enumerate(rows):
        y = top + row_height * number
        kind = "bar dagy" if system.name == "dagy" else "bar"
        weight = ' font-weight="600"' if system.name == "dagy" else ""
        bar = max(2.0, x(ms) - left)
        parts.append(f'<text x="{left - 10}" y="{y + 15}" text-anchor="end"{weight}>{escape(system.title)}</text>')
        parts.append(f'<rect class="{kind}" x="{left}" y="{y}" width="{bar:.1f}" height="20" rx="2"/>')
        parts.append(f'<text x="{left + bar + 8:.1f}" y="{y + 15}"{weight}>{_number(ms)}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def with_section(page: str, section: str) -> str:
    """The page, with what is between the two marks replaced. Raises: ValueError when they are not in it."""
    before, found_begin, rest = page.partition(BEGIN)
    _, found_end, after = rest.partition(END)
    if not found_begin or not found_end:
        raise ValueError(f"The page has no {BEGIN} ... {END}")
    return f"{before}{BEGIN}\n\n{section.strip()}\n\n{END}{after}"
