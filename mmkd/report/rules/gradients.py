"""How the gradients of the two losses relate, if that was logged."""

import re
import statistics
from collections.abc import Iterator, Sequence

from mmkd.report.groups import Group, finite
from mmkd.report.rules.advice import Advice
from mmkd.spread import number

STRONG = 10.0
"""Ratio above which the distillation gradient drowns the task's."""

WEAK = 0.1
"""Ratio below which distillation changes hardly anything."""

OPPOSED = -0.2
"""Cosine below which one loss undoes part of what the other does."""

KEY = re.compile(r'grad_(cos|ratio)_(classifier|rest|stage(\d+))')


def gradients(groups: Sequence[Group], key: str | None) -> Iterator[Advice]:
    """Too strong, too weak or opposed, by :class:`mmkd.engine.GradientConflictHook`."""
    for group in groups:
        ratios, cosines = _second_halves(group, 'ratio'), _second_halves(group, 'cos')
        middle = {part: statistics.median(values) for part, values in ratios.items()}
        strong = {part: ratio for part, ratio in middle.items() if ratio > STRONG}
        if strong:
            part = max(strong, key=strong.__getitem__)
            yield Advice(
                'do',
                group.label,
                f"the distillation gradient is {strong[part]:.0f} times the task's in "
                f"{part}: lower the method's weight, or the learning rate.",
            )
        if middle and max(middle.values()) < WEAK:
            part = max(middle, key=middle.__getitem__)
            yield Advice(
                'do',
                group.label,
                f'the distillation gradient is at most {middle[part]:.2g} times the '
                f"task's ({part}): raise the method's weight.",
            )
        means = {part: statistics.fmean(values) for part, values in cosines.items()}
        opposed = {part: cosine for part, cosine in means.items() if cosine < OPPOSED}
        if opposed:
            part = min(opposed, key=opposed.__getitem__)
            yield Advice(
                'do',
                group.label,
                f'the two losses oppose each other in {part} (cosine '
                f'{number(opposed[part], 2)}): {_remedies(group)}.',
            )


def _remedies(group: Group) -> str:
    """Remedies for opposed losses that the group does not use already."""
    methods = [m for m in (group.first.methods or {}).values() if isinstance(m, dict)]
    found = ["lower the method's weight"]
    if not any(str(method.get('type')).endswith('DualHead') for method in methods):
        found.append('distil into a separate head (--method dhkd)')
    if not any(method.get('gradient_alignment') for method in methods):
        found.append('set gradient_alignment=True on the method')
    return ', or '.join(found)


def _second_halves(group: Group, what: str) -> dict[str, list[float]]:
    """The values logged in the second half of each run, by part of the student."""
    found: dict[str, list[float]] = {}
    for run in group.runs:
        for key, curve in run.scalars.train.items():
            match = KEY.fullmatch(key)
            values = list(finite(curve).values())
            if match and match[1] == what and values:
                part = _in_words(match[2], match[3])
                found.setdefault(part, []).extend(values[len(values) // 2 :])
    return found


def _in_words(part: str, stage: str | None) -> str:
    if stage is not None:
        return f'stage {stage}'
    return 'the main classifier' if part == 'classifier' else 'the rest of the student'
