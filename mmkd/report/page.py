"""The page, put together."""

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

import mmkd
from mmkd.report.charts import style_class
from mmkd.report.curves import sections
from mmkd.report.groups import differing, group_runs, score_key
from mmkd.report.results import NOTHING, group_rows, run_rows
from mmkd.report.rules import advice
from mmkd.report.rules.advice import score_name
from mmkd.report.start_table import start_tables
from mmkd.runs import Run

MOST_LETTERS = 120
"""Of a setting: more is a config inside of a config."""


def render(runs: Sequence[Run]) -> str:
    """Write the page about runs.

    Args:
        runs: One at least.

    Returns:
        One HTML file, which needs nothing beside it.
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
    page.filters['style'] = style_class
    return page.get_template('page.html').render(
        title=_title(runs),
        made=f'{datetime.now():%Y-%m-%d %H:%M}',
        version=mmkd.__version__,
        groups=groups,
        score=None if key is None else score_name(key),
        advice=advice(groups, key),
        results=group_rows(groups, key),
        runs=run_rows(groups, key),
        settings=_settings(differing(groups)),
        starts=[(g.label, start_tables(g.first.start)) for g in groups],
        sections=sections(groups, key),
        nothing=NOTHING,
    )


def _title(runs: Sequence[Run]) -> str:
    names = [run.folder.resolve().name for run in runs]
    return names[0] if len(names) == 1 else f'{len(names)} runs: {names[0]} …'


def _settings(differing: dict[str, list[Any]]) -> dict[str, list[str]]:
    return {
        place: [NOTHING if value is None else _short(value) for value in values]
        for place, values in differing.items()
    }


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= MOST_LETTERS else f'{text[:MOST_LETTERS]} …'


def write(page: str, out: Path) -> None:
    """Write a page to a file.

    Raises:
        OSError: If that cannot be done.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(page, encoding='utf-8')
