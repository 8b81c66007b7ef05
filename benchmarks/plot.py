"""The picture of how costs grow, readable on light and on dark pages."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_GREY = "#808080"  # told from white and from a dark page alike
_COLOURS = ("#3b82f6", "#e07b39", "#2a9d6f")


def why_not() -> str | None:
    """Why nothing can be drawn here, or None."""
    return (
        None
        if find_spec("matplotlib")
        else "matplotlib is not installed (extra `bench`), the picture was left as it is"
    )


def draw(growths: Sequence[dict[str, Any]], path: Path) -> None:
    """Draw a panel for each, two in a row, as SVG without a background."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    settings: dict[Any, Any] = {
        "svg.hashsalt": "messaging_client",  # the same figures, the same file
        "text.color": _GREY,
        "axes.labelcolor": _GREY,
        "axes.edgecolor": _GREY,
        "xtick.color": _GREY,
        "ytick.color": _GREY,
        "font.size": 9,
    }
    with mpl.rc_context(settings):
        rows = (len(growths) + 1) // 2
        picture = Figure(figsize=(9, 3.1 * rows), layout="constrained")
        panels = list(picture.subplots(rows, 2, squeeze=False).flat)
        for panel, growth in zip(panels, growths, strict=False):
            _panel(panel, growth)
        for panel in panels[len(growths) :]:
            panel.set_visible(False)
        picture.savefig(path, format="svg", transparent=True, metadata={"Date": None, "Creator": None})


def _panel(panel: Any, growth: dict[str, Any]) -> None:
    for colour, (label, points) in zip(_COLOURS, growth["lines"].items(), strict=False):
        places, middles, lows, highs = (list(each) for each in zip(*points, strict=True))
        panel.plot(places, middles, marker="o", markersize=4, linewidth=1.8, color=colour, label=label)
        panel.fill_between(places, lows, highs, color=colour, alpha=0.2, linewidth=0)
    panel.set_title(growth["title"], fontsize=10)
    panel.set_xlabel(growth["axis"])
    panel.set_ylabel(growth["figure"])
    marks = sorted({point[0] for points in growth["lines"].values() for point in points})
    figures = [point[1] for points in growth["lines"].values() for point in points]
    if marks[0] == 0:
        panel.set_xscale("symlog", linthresh=marks[1])
    else:
        panel.set_xscale("log")
    panel.set_xticks(marks, [f"{each:,.0f}" for each in marks])
    panel.minorticks_off()
    if max(figures) > 20 * min(figures):
        panel.set_yscale("log")
    else:
        panel.set_ylim(bottom=0)
    panel.grid(color=_GREY, alpha=0.25, linewidth=0.6)
    panel.spines[["top", "right"]].set_visible(False)
    if len(growth["lines"]) > 1:
        panel.legend(frameon=False, fontsize=8)
