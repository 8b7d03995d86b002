"""The values that a training logged, per validation."""

from collections import defaultdict
from statistics import fmean

from mmkd.runs import Curve, Run

TRAIN = 'train/'
"""Prefix of the names of values that were logged between validations."""


def by_validation(run: Run) -> dict[str, Curve]:
    """All logged values of a training, at the epochs or iterations of its validations.

    Args:
        run: The training.

    Returns:
        Curves by the name of the value. Values logged in training are averaged up to
        the next validation, and their names start with ``train/``.

    Raises:
        ValueError: If there was no validation.
    """
    scalars = run.scalars
    if not scalars.val:
        raise ValueError(f'{run.folder} has no log of a validation.')
    validated = sorted(set().union(*scalars.val.values()))
    epochs = scalars.train.get('epoch', {}) if run.unit == 'epoch' else {}
    found = dict(scalars.val)
    for name, curve in scalars.train.items():
        groups = defaultdict[int, list[float]](list)
        for step, value in curve.items():
            place = epochs.get(step, step)
            following = [each for each in validated if each >= place]
            if following:
                groups[following[0]].append(value)
        found[TRAIN + name] = {step: fmean(each) for step, each in groups.items()}
    return found
