"""Measurements of a student and its teacher, as a table and in words."""

from collections.abc import Iterator, Sequence
from typing import Any

from mmkd.deploy.forms import FLOAT, INT8, Form, Subject
from mmkd.deploy.scoring import leading
from mmkd.spread import NOTHING

BUSY = 1.2
"""Ratio of wall-clock to CPU time above which calls waited for the CPU."""


def table(subjects: Sequence[Subject]) -> str:
    """A row for each form of each network, in Markdown.

    Args:
        subjects: At least one, timed.
    """
    key = _key(subjects)
    head = ['network', 'parameters', 'multiply-adds', 'runtime', 'MB']
    head += ['ms, median', 'ms, 95 %', 'ms, CPU time', *([key] if key else [])]
    rows = [row for each in subjects for row in _rows(each, key)]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    # Words are left-aligned, numbers right-aligned.
    left = [name in ('network', 'runtime') for name in head]
    rule = [
        '-' * width if words else '-' * (width - 1) + ':'
        for width, words in zip(widths, left, strict=True)
    ]
    lines = []
    for cells in (head, rule, *rows):
        laid = [
            cell.ljust(width) if words else cell.rjust(width)
            for cell, width, words in zip(cells, widths, left, strict=True)
        ]
        lines.append(f'| {" | ".join(laid)} |\n')
    return ''.join(lines)


def _key(subjects: Sequence[Subject]) -> str | None:
    scores = [form.scores for each in subjects for form in each.forms if form.scores]
    return leading(scores[0]) if scores else None


def _rows(subject: Subject, key: str | None) -> Iterator[list[str]]:
    products = subject.products
    millions = NOTHING if isinstance(products, str) else f'{products / 1e6:,.1f}M'
    about = [subject.name, f'{subject.parameters:,}', millions]
    for form in subject.forms:
        assert form.latency is not None
        times = form.latency.median, form.latency.slow, form.latency.of_processor
        cells = [form.runtime, f'{form.megabytes:.2f}', *(f'{t:.2f}' for t in times)]
        if key:
            cells.append(f'{form.scores[key]:.2f}' if key in form.scores else NOTHING)
        yield [*about, *cells]
        about = [''] * 3


def sentences(subjects: Sequence[Subject]) -> Iterator[str]:
    """What int8 costs each network, and how the last compares with the first.

    Args:
        subjects: At least one, timed.
    """
    key = _key(subjects)
    for each in subjects:
        forms = {form.runtime: form for form in each.forms}
        if FLOAT in forms and INT8 in forms:
            found = _beside(forms[INT8], forms[FLOAT], key)
            yield f'int8 vs float32, {each.name}: {found}'
    first, last = subjects[0], subjects[-1]
    if first is not last:
        share = last.parameters / first.parameters
        for runtime in (FLOAT, INT8):
            forms = {form.runtime: form for form in last.forms}
            others = {form.runtime: form for form in first.forms}
            if runtime in forms and FLOAT in others:
                found = _beside(forms[runtime], others[FLOAT], key)
                yield (
                    f'{last.name} in {runtime} vs {first.name} in {FLOAT}: '
                    f'{share:.2f} of the parameters, {found}'
                )
    waited = _waited(subjects)
    if waited > BUSY:
        yield (
            'The CPU was busy with other programs: wall-clock times are up to '
            f'{waited:.1f} times the CPU time. Compare CPU times, or measure again.'
        )


def _beside(form: Form, other: Form, key: str | None) -> str:
    assert form.latency is not None
    assert other.latency is not None
    time = form.latency.of_processor / other.latency.of_processor
    words = f'{time:.2f} of the CPU time, '
    words += f'{form.megabytes / other.megabytes:.2f} of the file size'
    if key in form.scores and key in other.scores:
        words += f', {key} {form.scores[key] - other.scores[key]:+.2f}'
    return words


def _waited(subjects: Sequence[Subject]) -> float:
    """The largest ratio of wall-clock to CPU time of any form; 0 if there is none."""
    found = [form.latency for each in subjects for form in each.forms if form.latency]
    return max((each.median / each.of_processor for each in found), default=0.0)


def record(subjects: Sequence[Subject]) -> list[dict[str, Any]]:
    """All numbers, ready for JSON.

    Args:
        subjects: The measured networks.
    """
    return [
        dict(
            network=each.name,
            kind=each.network.kind,
            parameters=each.parameters,
            multiply_adds=None if isinstance(each.products, str) else each.products,
            forms=[
                dict(
                    runtime=form.runtime,
                    megabytes=form.megabytes,
                    calls=len(form.latency.clock),
                    ms_median=form.latency.median,
                    ms_95=form.latency.slow,
                    ms_processor=form.latency.of_processor,
                    scores=form.scores,
                )
                for form in each.forms
                if form.latency
            ],
            notes=each.notes,
        )
        for each in subjects
    ]
