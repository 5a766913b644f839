"""The figures of a run as a picture: one bar a line, on a logarithmic scale."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from pathlib import Path

_WIDTH, _LABELS, _LINE, _TOP = 860, 330, 34, 54
_OURS, _OTHERS = "#b45309", "#94a3b8"

Bar = tuple[str, float, bool]  # label, microseconds of CPU an event, ours


def write_chart(path: Path, title: str, bars: Sequence[Bar]) -> None:
    """Write bars as SVG."""
    low = min(value for _, value, _ in bars) / 2
    span = math.log10(max(value for _, value, _ in bars) / low)
    height = _TOP + _LINE * len(bars) + 16
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" '
        f'viewBox="0 0 {_WIDTH} {height}" font-family="system-ui, sans-serif" font-size="14">',
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="16" y="28" font-size="16" font-weight="600" fill="#1e293b">{escape(title)}</text>',
    ]
    for number, (label, value, ours) in enumerate(bars):
        y = _TOP + number * _LINE
        length = max(2.0, (_WIDTH - _LABELS - 110) * math.log10(value / low) / span)
        colour = _OURS if ours else _OTHERS
        shown = f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
        lines += [
            f'<text x="{_LABELS - 10}" y="{y + 17}" text-anchor="end" fill="#334155">{escape(label)}</text>',
            f'<rect x="{_LABELS}" y="{y + 3}" width="{length:.1f}" height="20" rx="3" fill="{colour}"/>',
            f'<text x="{_LABELS + length + 8:.1f}" y="{y + 18}" fill="#1e293b">{shown} µs</text>',
        ]
    path.write_text("\n".join([*lines, "</svg>", ""]), "utf-8")
