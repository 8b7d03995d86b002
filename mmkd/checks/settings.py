"""Checks of settings that are not arguments of a class."""

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from mmengine.config import Config
from mmengine.dist import init_dist
from mmengine.runner import set_random_seed
from torch.distributed import init_process_group

from mmkd.arguments import arguments, check_arguments
from mmkd.checks.places import datasets_of
from mmkd.checks.values import check_values
from mmkd.nearest import LIKELY, did_you_mean, nearest_and_known

ENVIRONMENT = ('cudnn_benchmark', 'dist_cfg', 'mp_cfg', 'resource_limit')
"""Keys of ``env_cfg`` that MMEngine reads."""

PROCESSES = ('mp_start_method', 'opencv_num_threads')
"""Keys of ``env_cfg.mp_cfg`` that it reads."""

GROUPS = (
    'bias_decay_mult',
    'bias_lr_mult',
    'bypass_duplicate',
    'custom_keys',
    'dcn_offset_lr_mult',
    'dwconv_decay_mult',
    'flat_decay_mult',
    'norm_decay_mult',
)
"""Keys of ``paramwise_cfg`` that its optimiser wrapper constructor reads."""

PREFIXES = ('img_path', 'seg_map_path', 'depth_map_path')
"""Keys of ``data_prefix`` in data sets of both libraries."""

NAMES = ('classes', 'palette')
"""Keys of ``metainfo`` that data sets of both libraries read."""

INFERENCE = ('crop_size', 'mode', 'stride', 'threshold')
"""Keys of ``test_cfg`` that segmentors read."""


def check_settings(cfg: Config) -> None:
    """Refuse settings that nothing reads, and invalid values.

    Where only MMEngine reads keys, unknown ones are refused. Where other code may read
    more, only near misses of known ones are refused.

    Args:
        cfg: The config of any training or test.

    Raises:
        ValueError: If there is one; the message names the closest match.
    """
    environment = cfg.get('env_cfg') or {}
    known(environment, 'env_cfg', ENVIRONMENT)
    processes = environment.get('mp_cfg') or {}
    known(processes, 'env_cfg.mp_cfg', PROCESSES)
    check_values('env_cfg.mp_cfg', 'mp_cfg', processes)
    group = {*arguments(init_dist)[0], *arguments(init_process_group)[0], 'port'}
    known(environment.get('dist_cfg'), 'env_cfg.dist_cfg', group - {'launcher'})
    randomness = cfg.get('randomness') or {}
    check_arguments('randomness', set_random_seed, randomness)
    check_values('randomness', set_random_seed, randomness)
    level = cfg.get('log_level', 'INFO')
    if not isinstance(logging.getLevelName(level), int):
        raise ValueError(
            f'log_level {level!r} is not DEBUG, INFO, WARNING, ERROR or CRITICAL.'
        )
    scaled = 'base_batch_size', 'enable'
    known(cfg.get('auto_scale_lr'), 'auto_scale_lr', scaled)
    groups = (cfg.get('optim_wrapper') or {}).get('paramwise_cfg')
    known(groups, 'optim_wrapper.paramwise_cfg', GROUPS, complete=False)
    for key, group in ((groups or {}).get('custom_keys') or {}).items():
        where = f'optim_wrapper.paramwise_cfg.custom_keys[{key!r}]'
        known(group, where, ('decay_mult', 'lr_mult'), complete=False)
    for where, dataset in datasets_of(cfg):
        prefix = dataset.get('data_prefix')
        known(prefix, f'{where}.data_prefix', PREFIXES, complete=False)
        known(dataset.get('metainfo'), f'{where}.metainfo', NAMES, complete=False)
    model = cfg.get('model') or {}
    if 'teacher' in model and not any((model.get('methods') or {}).values()):
        raise ValueError(
            'model.methods: there is a teacher but no method. Choose some with '
            '--method NAME; --method none is the student alone, with all else equal.'
        )
    for where, part in (('model', model), ('model.student', model.get('student'))):
        if isinstance(part, Mapping):
            tested = part.get('test_cfg') or {}
            known(tested, f'{where}.test_cfg', INFERENCE, complete=False)
            check_values(f'{where}.test_cfg', 'test_cfg', tested)


def known(
    settings: Any, where: str, names: Iterable[str], complete: bool = True
) -> None:
    """Refuse unknown settings.

    Args:
        settings: The settings; anything but a dict is ignored.
        where: Their key in the config.
        names: The known names.
        complete: Whether these are all names that are read; otherwise only near
            misses of them are refused.

    Raises:
        ValueError: If there is one.
    """
    names = sorted(names)
    for name in settings if isinstance(settings, Mapping) else ():
        # A data set of image pairs has `img_path2`.
        bare = name if complete else name.rstrip('0123456789')
        if bare in names or name == '_scope_':
            continue
        if complete:
            public = [known for known in names if not known.startswith('_')]
            hint = nearest_and_known(name, public)
        else:
            hint = did_you_mean(name, names, LIKELY)
        if hint:
            raise ValueError(f'{where}: nothing reads {name!r}.{hint}')
