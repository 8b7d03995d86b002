"""What a training has logged, validation by validation."""

from collections import defaultdict
from statistics import fmean

from mmkd.runs import Curve, Run

TRAIN = 'train/'
"""What names of values begin with that were logged between validations."""


def by_validation(run: Run) -> dict[str, Curve]:
    """All that a training has logged, at the epochs or iterations of its validations.

    Args:
        run: The training.

    Returns:
        Curves by the name of the value. What was logged in training is averaged up to
        the next validation, and its name begins with ``train/``.

    Raises:
        ValueError: If nothing was validated.
    """
    scalars = run.scalars
    if not scalars.val:
        raise ValueError(f'{run.folder} holds no log of a validation.')
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
