"""Draws lines into an SVG file."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

#: Pixels: the picture, and the margins around its plot.
WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 640, 360, 60, 45, 30, 130
COLOURS = ("#c0392b", "#d68910", "#2471a3", "#7d8a97", "#1e8449")
#: Marks on each axis.
MARKS = 5

Points = list[tuple[float, float]]


def draw(path: Path, title: str, axes: tuple[str, str], lines: Mapping[str, Points]) -> None:
    """Write a plot of named lines; both axes begin at 0."""
    right = max((x for points in lines.values() for x, _ in points), default=1.0) or 1.0
    top = max((y for points in lines.values() for _, y in points), default=1.0) or 1.0

    def place(x: float, y: float) -> str:
        across = LEFT + x / right * (WIDTH - LEFT - RIGHT)
        return f"{across:.1f},{HEIGHT - BOTTOM - y / top * (HEIGHT - BOTTOM - TOP):.1f}"

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        "<style>text { font-family: sans-serif }</style>",
        _text(LEFT, 18, title),
        _text(LEFT, HEIGHT - 8, axes[0]),
        f'<text transform="translate(14 {HEIGHT - BOTTOM}) rotate(-90)">{escape(axes[1])}</text>',
    ]
    for step in range(MARKS + 1):
        x, y = right * step / MARKS, top * step / MARKS
        parts.append(
            f'<path stroke="#ddd" d="M{place(x, 0)} L{place(x, top)} M{place(0, y)} '
            f'L{place(right, y)}"/>'
        )
        at_x, at_y = place(x, 0).split(",")[0], place(0, y).split(",")[1]
        parts.append(_text(float(at_x) - 8, HEIGHT - BOTTOM + 16, f"{x:.3g}"))
        parts.append(_text(LEFT - 36, float(at_y) + 4, f"{y:.3g}"))
    for number, (name, points) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        drawn = " ".join(place(x, y) for x, y in points)
        parts.append(f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{drawn}"/>')
        parts.append(_text(WIDTH - RIGHT + 10, TOP + 18 * number + 10, name, colour))
    path.write_text("\n".join([*parts, "</svg>", ""]))


def _text(x: float, y: float, words: str, colour: str = "#222") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" fill="{colour}">{escape(words)}</text>'


def cumulative(values: Sequence[float], points: int = 100) -> Points:
    """Return the share of the values up to each, in percent."""
    ranked = sorted(values)
    if not ranked:
        return []
    steps = range(points + 1)
    return [(ranked[int((len(ranked) - 1) * s / points)], 100.0 * s / points) for s in steps]
