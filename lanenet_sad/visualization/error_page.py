"""The HTML of an error-analysis page: one file without anything from the network, its frames beside it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from lanenet_sad.visualization.error_frames import CHUNK_FRAMES
from lanenet_sad.visualization.error_pictures import BadFrame
from lanenet_sad.visualization.error_sections import (
    iou_section,
    lane_number_section,
    line_legend,
    row_section,
    score_section,
    worst_section,
)

_NAVIGATION = {
    "score": "Score",
    "worst": "Worst frames",
    "iou": "Categories and IoU",
    "rows": "By image row",
    "numbers": "By number of lanes",
    "frames": "Any frame",
}
_ORDERS = {
    "errors": "most wrong and missed lanes",
    "wrong": "most wrong lanes",
    "missed": "most missed lanes",
    "lost": "most IoU lost",
    "name": "name",
    "order": "order of the list",
}


def error_page(
    title: str, table: str, figures: dict[str, Any], worst: Sequence[BadFrame], categories: Sequence[str]
) -> str:
    """The page as text.

    Args:
        title: of the page.
        table: the official one.
        figures: all that the page tells, as `figures.json` has it.
        worst: frames to show at once, the worst one first.
        categories: as the frames' files number them.
    """
    style, script = (Path(__file__).with_name(f"error_page.{kind}").read_text("utf-8") for kind in ("css", "js"))
    about = {"chunk_frames": CHUNK_FRAMES, "categories": list(categories)}
    links = "".join(f'<a href="#{name}">{text}</a>' for name, text in _NAVIGATION.items())
    sections = (
        score_section(table, figures),
        worst_section(worst),
        iou_section(figures),
        row_section(figures),
        lane_number_section(figures),
        _viewer(categories),
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<title>{escape(title)}</title><meta name="viewport" content="width=device-width">'
        f"<style>\n{style}</style></head><body>"
        f'<header><h1>{escape(title)}</h1>{_source(figures)}<nav aria-label="parts of this page">{links}</nav></header>'
        f"<main>{''.join(sections)}</main>"
        f'<script type="application/json" id="about">{_json_in_html(about)}</script>\n'
        f"<script>\n{script}</script></body></html>\n"
    )


def _source(figures: dict[str, Any]) -> str:
    """When, with what and by which command the page was made."""
    versions = ", ".join(f"{name} {version}" for name, version in figures["versions"].items())
    command = f'<pre class="command">{escape(figures["command"])}</pre>' if figures["command"] else ""
    return f'<p class="source">{escape(figures["date"])}; {escape(versions)}</p>{command}'


def _viewer(categories: Sequence[str]) -> str:
    """What the script fills: a list of all frames, and the one that is chosen."""
    orders = "".join(f'<option value="{value}">{text}</option>' for value, text in _ORDERS.items())
    groups = "".join(f'<option value="{number}">{escape(name)}</option>' for number, name in enumerate(categories))
    hidden = "" if categories else " hidden"
    return f"""<section id="frames"><h2>Any frame</h2>
<p>Every frame of this evaluation with its label and its prediction. The pictures are read from where they lay when the
page was made. <a href="frames.csv">frames.csv</a> has the counts of all frames.</p>
<noscript><p class="note">This part of the page needs JavaScript.</p></noscript>
<p class="note" id="said" role="status" hidden></p>
<div class="viewer" id="viewer" hidden><div class="chooser">
<label>Search for parts of a name <input type="search" id="search" autocomplete="off" spellcheck="false"></label>
<label>Sort by <select id="order">{orders}</select></label>
<label{hidden}>Category <select id="category"><option value="">all</option>{groups}</select></label>
<p class="source" id="matches" role="status"></p><ol id="list"></ol></div>
<div class="stage" id="stage" hidden><h3 id="frame-name"></h3><p id="frame-counts"></p>
<div class="canvas" id="canvas"></div>{line_legend()}
<div class="tools"><button type="button" id="previous">Previous</button><button type="button" id="next">Next</button>
<label><input type="checkbox" id="show-label" checked> labels</label>
<label><input type="checkbox" id="show-prediction" checked> predictions</label></div>
<table><thead><tr><th scope="col">lane</th><th scope="col"></th><th scope="col">IoU</th>
<th scope="col">confidence</th></tr></thead><tbody id="lanes"></tbody></table></div></div></section>"""


def _json_in_html(value: Any) -> str:
    """JSON that no text in it can end early."""
    return json.dumps(value).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
