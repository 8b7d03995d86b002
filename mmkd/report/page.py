"""Rendering of the page."""

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

import mmkd
from mmkd.nearest import listed
from mmkd.report.charts import style_class
from mmkd.report.curves import sections
from mmkd.report.groups import Group, group_runs, score_key
from mmkd.report.results import group_rows, run_rows
from mmkd.report.rules import advice
from mmkd.report.rules.advice import score_name
from mmkd.report.seen.classes import class_rows
from mmkd.report.seen.confusions import confusions
from mmkd.report.seen.look import Look, look
from mmkd.report.seen.panels import panels
from mmkd.report.settings import described
from mmkd.report.start_table import start_tables
from mmkd.runs import Run
from mmkd.spread import NOTHING, number

MOST_ADVICE = 10
"""Maximum number of sentences that are not folded away."""

MOST_LETTERS = 120
"""Maximum length of a setting's value: longer ones are nested configs."""


def render(runs: Sequence[Run], images: int | None = None) -> str:
    """Render the page about runs.

    Args:
        runs: At least one.
        images: How many validation images to run on; None for the task's default.

    Returns:
        A self-contained HTML file.
    """
    groups = group_runs(runs)
    key = score_key(runs)
    page = Environment(
        loader=PackageLoader('mmkd.report', ''),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page.filters |= dict(style=style_class, dotted=_dotted)
    return page.get_template('page.html').render(
        title=_title(runs, groups),
        made=f'{datetime.now():%Y-%m-%d %H:%M}',
        version=mmkd.__version__,
        groups=groups,
        score=None if key is None else score_name(key),
        advice=advice(groups, key),
        most=MOST_ADVICE,
        results=group_rows(groups, key),
        runs=run_rows(groups, key),
        settings=_settings(described([group.first for group in groups])),
        starts=[(g.label, start_tables(g.first.start)) for g in groups],
        sections=sections(groups, key),
        seen=None if images == 0 else _seen(look(groups, images)),
    )


def _seen(found: Look) -> dict[str, Any]:
    """The template's variables about predictions."""
    shown: dict[str, Any] = dict(notes=found.notes, asked=found.asked)
    if found.sample is None or found.task is None or not found.asked:
        return shown | dict(asked=[])
    names = found.sample.classes(len(found.asked[0].by_class))
    pixels = found.task.spatial_dims > 0
    tally = found.asked[0].first.tally
    rows, unfound = class_rows(found, names)
    shown |= dict(
        count=len(found.sample.numbers),
        total=found.sample.total,
        compared=bool(found.pairs()),
        metric=tally.metric,
        measure='IoU' if pixels else 'accuracy',
        scores=[(each, number(each.score)) for each in found.asked],
        classes=rows,
        unfound=unfound,
        panels=[],
        colours=[],
        confusions={},
    )
    if pixels:
        shown['panels'], shown['colours'] = panels(found, names)
    else:
        shown['confusions'] = confusions(found, names)
    return shown


def _dotted(place: str) -> Markup:
    """A dotted name that may wrap after each dot."""
    return Markup('.<wbr>').join(place.split('.'))


def _title(runs: Sequence[Run], groups: Sequence[Group]) -> str:
    if len(runs) == 1:
        return runs[0].folder.resolve().name
    return f'{len(runs)} runs: {listed(group.label for group in groups)}'


def _settings(found: dict[str, list[Any]]) -> dict[str, list[str]]:
    return {
        place: [NOTHING if value is None else _short(value) for value in values]
        for place, values in found.items()
    }


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= MOST_LETTERS else f'{text[:MOST_LETTERS]} …'


def write(page: str, out: Path) -> None:
    """Write a page to a file.

    Raises:
        OSError: If the file cannot be written.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(page, encoding='utf-8')
