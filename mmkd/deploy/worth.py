"""Measurements of a student and its teacher, as a table and in words."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mmkd.deploy.forms import FLOAT, INT8, Subject
from mmkd.deploy.scoring import leading
from mmkd.spread import NOTHING

Measured = Mapping[str, Any]
"""What was measured of a network, see :func:`record`, or of one of its forms."""

BUSY = 1.2
"""Ratio of wall-clock to CPU time above which calls waited for the CPU."""

TIMES = ('ms_median', 'ms_95', 'ms_processor')
"""Milliseconds per image: median and 95 % quantile of wall-clock time, CPU time."""


def table(networks: Sequence[Measured]) -> str:
    """A row for each form of each network, in Markdown.

    Args:
        networks: At least one, from :func:`record`.
    """
    key = _key(networks)
    head = ['network', 'parameters', 'multiply-adds', 'runtime', 'MB']
    head += ['ms, median', 'ms, 95 %', 'ms, CPU time', *([key] if key else [])]
    rows = [row for each in networks for row in _rows(each, key)]
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


def _key(networks: Sequence[Measured]) -> str | None:
    scores = [form['scores'] for form in _all(networks) if form['scores']]
    return leading(scores[0]) if scores else None


def _rows(network: Measured, key: str | None) -> Iterator[list[str]]:
    products = network['multiply_adds']
    millions = NOTHING if products is None else f'{products / 1e6:,.1f}M'
    about = [network['network'], f'{network["parameters"]:,}', millions]
    for form in network['forms']:
        numbers = [form[name] for name in ('megabytes', *TIMES)]
        cells = [form['runtime'], *(f'{each:.2f}' for each in numbers)]
        if key:
            known = key in form['scores']
            cells.append(f'{form["scores"][key]:.2f}' if known else NOTHING)
        yield [*about, *cells]
        about = [''] * 3


def sentences(networks: Sequence[Measured]) -> Iterator[str]:
    """What int8 costs each network, and how the last compares with the first.

    Args:
        networks: At least one, from :func:`record`.
    """
    key = _key(networks)
    for each in networks:
        forms = _forms(each)
        if FLOAT in forms and INT8 in forms:
            found = _beside(forms[INT8], forms[FLOAT], key)
            yield f'int8 vs float32, {each["network"]}: {found}'
    first, last = networks[0], networks[-1]
    if first is not last:
        share = last['parameters'] / first['parameters']
        forms, others = _forms(last), _forms(first)
        for runtime in (FLOAT, INT8):
            if runtime in forms and FLOAT in others:
                found = _beside(forms[runtime], others[FLOAT], key)
                yield (
                    f'{last["network"]} in {runtime} vs {first["network"]} in {FLOAT}: '
                    f'{share:.2f} of the parameters, {found}'
                )
    waited = max(
        (form['ms_median'] / form['ms_processor'] for form in _all(networks)),
        default=0.0,
    )
    if waited > BUSY:
        yield (
            'The CPU was busy with other programs: wall-clock times are up to '
            f'{waited:.1f} times the CPU time. Compare CPU times, or measure again.'
        )


def _forms(network: Measured) -> dict[str, Measured]:
    return {form['runtime']: form for form in network['forms']}


def _all(networks: Sequence[Measured]) -> list[Measured]:
    return [form for each in networks for form in each['forms']]


def _beside(form: Measured, other: Measured, key: str | None) -> str:
    words = f'{form["ms_processor"] / other["ms_processor"]:.2f} of the CPU time, '
    words += f'{form["megabytes"] / other["megabytes"]:.2f} of the file size'
    if key in form['scores'] and key in other['scores']:
        words += f', {key} {form["scores"][key] - other["scores"][key]:+.2f}'
    return words


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
