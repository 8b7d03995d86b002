"""Checks of values: empty sizes, shares above one, unknown choices."""

import inspect
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from numbers import Real
from typing import Any

from mmkd.checks.places import several
from mmkd.checks.scores import OF_IOU
from mmkd.libraries import is_of_library
from mmkd.nearest import did_you_mean

NOTHING_BELOW = {
    **dict.fromkeys(('num_workers', 'seed'), 0),
    **dict.fromkeys(
        (
            'accumulative_counts',
            'batch_size',
            'channels',
            'crop_size',
            'pad_size_divisor',
            'prefetch_factor',
            'size_divisor',
            'times',
            'topk',
            'SwinTransformer.window_size',
            'BaseAveragedModel.interval',
            'LogProcessor.window_size',
            'LoggerHook.interval',
            'SegVisualizationHook.interval',
            'VisualizationHook.interval',
            'BaseDecodeHead.num_classes',
            'ClsHead.num_classes',
            'Distiller.num_classes',
        ),
        1,
    ),
}
"""Minimum values of integers, or of each integer in a list. The key is the name; if
that is ambiguous, it includes the class that takes it, or a base class of that."""

POSITIVE = ('clip_value', 'max_norm', 'scale', 'size', 'std')
"""Settings that are positive numbers."""

FINITE = ('alpha', 'eps', 'lr', 'mean', 'momentum', 'weight_decay')
"""Settings that are any finite numbers."""

SHARES = ('cat_max_ratio', 'drop_path_rate', 'prob')
"""Settings between 0 and 1."""

LARGEST = sys.float_info.max

RATES = ('precision', 'recall', 'f1-score', 'support')

CHOICES: dict[str, Sequence[str | None]] = {
    'mp_start_method': ('fork', 'spawn', 'forkserver'),
    'reduction': ('none', 'mean', 'sum', None),
    'style': ('pytorch', 'caffe'),
    'BaseMetric.collect_device': ('cpu', 'gpu', 'npu'),
    'AveragePrecision.average': ('macro', None),
    'DepthMetric.crop_type': ('nyu_crop', None),
    'DepthMetric.depth_metrics': (
        *('d1', 'd2', 'd3', 'abs_rel', 'sq_rel', 'rmse', 'rmse_log', 'log10', 'silog'),
        None,
    ),
    'IoUMetric.iou_metrics': tuple(OF_IOU),
    'MultiLabelMetric.average': ('macro', 'micro', None),
    'MultiLabelMetric.items': RATES,
    'RegressionMetric.items': ('l1_distance', 'l2_distance'),
    'RetrievalAveragePrecision.mode': ('IR', 'integrate'),
    'RandomFlip.direction': ('horizontal', 'vertical', 'diagonal'),
    'test_cfg.mode': ('whole', 'slide', 'slide_flip'),
    'SingleLabelMetric.average': ('macro', 'micro', None),
    'SingleLabelMetric.items': RATES,
}
"""Allowed values of settings, single or in a list; by name, or by class and name. If
libraries check them at all, it is at the first validation or without naming them."""

BY_NAME = {*NOTHING_BELOW, *POSITIVE, *FINITE, *SHARES, *CHOICES}
"""Settings that have the same meaning in all classes of the libraries, and others."""


def check_values(
    where: str, kind: Callable[..., Any] | str, settings: Mapping[str, Any]
) -> None:
    """Refuse settings of the right type with invalid values.

    Args:
        where: Path of the settings in the config.
        kind: The class or function that takes the settings, or a name for it.
        settings: The settings in the config.

    Raises:
        ValueError: If there is one; the message says what is allowed.
        TypeError: If there is a string instead of a number.
    """
    bases = getattr(kind, '__mro__', ())
    names = [*(f'{base.__name__}.' for base in bases), f'{kind}.']
    for name, value in settings.items():
        usual = not bases or (name in BY_NAME and _of_libraries(kind, name))
        keys = [f'{prefix}{name}' for prefix in (*([''] if usual else []), *names)]
        for key in keys:
            choices = CHOICES.get(key)
            if choices is not None:
                _check_choice(where, name, value, choices)
        least = next((NOTHING_BELOW[key] for key in keys if key in NOTHING_BELOW), None)
        if least is not None:
            range_ = f'an integer of at least {least}'
            _check_range(where, name, value, range_, least, whole=True)
        elif not usual:
            continue
        elif name in POSITIVE:
            _check_range(where, name, value, 'greater than 0', math.ulp(0.0))
        elif name in SHARES:
            _check_range(where, name, value, 'between 0 and 1', 0, 1)
        elif name in FINITE:
            _check_range(where, name, value, 'finite', -LARGEST, LARGEST)


def _of_libraries(kind: Any, name: str) -> bool:
    """Whether a setting of a class is a library's.

    In a user's class the same name may mean something else.
    """
    for base in kind.__mro__:
        init = vars(base).get('__init__')
        # Those that are written in C have no signature.
        with suppress(TypeError, ValueError):
            if init is not None and name in inspect.signature(init).parameters:
                return is_of_library(base)
    return is_of_library(kind)


def _check_choice(
    where: str, name: str, value: Any, choices: Sequence[str | None]
) -> None:
    known = [str(choice) for choice in choices]
    for one in several(value):
        # A head may take a number under the name of another part's choice.
        if isinstance(one, str) and one not in choices:
            raise ValueError(
                f'{where}: {name} must be one of {", ".join(known)}, got {one!r}.'
                + did_you_mean(one, known)
            )


def _check_range(
    where: str,
    name: str,
    value: Any,
    range_: str,
    least: float,
    most: float = math.inf,
    whole: bool = False,
) -> None:
    numbers = several(value)
    if not numbers:
        raise ValueError(f'{where}: {name} is an empty list.')
    if any(isinstance(one, str) for one in numbers):
        raise TypeError(f'{where}: {name} must be {range_}, got {value!r}.')
    # Lists of lists are not checked, nor is None, which stands for "no size".
    numbers = [one for one in numbers if isinstance(one, Real)]
    if any(not least <= one <= most or whole > (one == int(one)) for one in numbers):
        raise ValueError(f'{where}: {name} must be {range_}, got {value!r}.')
