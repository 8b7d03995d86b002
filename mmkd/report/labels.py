"""Labels of groups of runs."""

from collections import Counter
from collections.abc import Sequence

from mmkd.report.settings import backbone_of, differing
from mmkd.runs import Run

ALONE = 'student alone'

MOST_LETTERS = 20
"""Maximum length of a setting's value in a label."""


def labels_of(runs: Sequence[Run]) -> list[str]:
    """Label groups by method, adding settings or using folders if that is ambiguous.

    Args:
        runs: One run of each group.
    """
    taught = [backbone_of(run) for run in runs if run.methods is not None]
    labels = [_label(run, taught) for run in runs]
    for label in [label for label, count in Counter(labels).items() if count > 1]:
        places = [place for place, other in enumerate(labels) if other == label]
        alike = [runs[place] for place in places]
        names = [f'{label} ({text})' if text else label for text in _short(alike)]
        if len(set(names)) < len(names):
            names = [run.folder.name for run in alike]
        if len(set(names)) < len(names):
            names = [str(run.folder) for run in alike]
        for place, name in zip(places, names, strict=True):
            labels[place] = name
    return labels


def _label(run: Run, taught: Sequence[object]) -> str:
    """The methods, or the folder if no distillation trains this network."""
    if not run.settings:
        return run.folder.name
    if run.methods is not None:
        return ' + '.join(run.methods) or 'no method'
    return run.folder.name if taught and backbone_of(run) not in taught else ALONE


def _short(runs: Sequence[Run]) -> list[str]:
    """The first two short settings in which runs differ, as a text for each run."""
    places = [
        (place.split('.')[-1], values)
        for place, values in differing(runs).items()
        if all(len(str(value)) <= MOST_LETTERS for value in values)
    ]
    # Settings that all runs have come first.
    places.sort(key=lambda place: place[1].count(None))
    columns = zip(*(values for _, values in places[:2]), strict=True)
    names = [name for name, _ in places[:2]]
    return [
        ', '.join(
            f'{name}={value}'
            for name, value in zip(names, column, strict=True)
            if value is not None
        )
        for column in columns
    ] or [''] * len(runs)
