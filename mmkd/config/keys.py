"""Keys at the top level of a config that nothing reads."""

import inspect
import logging
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.runner import FlexibleRunner, Runner

import mmkd
from mmkd.config.reading import facts_of, files_of
from mmkd.nearest import LIKELY, did_you_mean, listed

OWN = Path(mmkd.__file__).parent.joinpath('.mim', 'configs').resolve()
"""The folder of mmkd's configs."""

BESIDE_ARGUMENTS = (
    'activation_checkpointing',
    'custom_imports',
    'efficient_conv_bn_eval',
    'find_unused_parameters',
    'model_wrapper_cfg',
    'runner_type',
    'sync_bn',
    'tta_model',
    'tta_pipeline',
)
"""Keys that MMEngine's runners and the tools read besides the runners' arguments."""


@cache
def runner_keys() -> frozenset[str]:
    """Names at the top level of a config that a runner reads."""
    kinds = Runner, FlexibleRunner
    arguments = {name for kind in kinds for name in inspect.signature(kind).parameters}
    return frozenset(arguments.union(BESIDE_ARGUMENTS))


FORMER = {
    'checkpoint_config': 'default_hooks.checkpoint',
    'cudnn_benchmark': 'env_cfg.cudnn_benchmark',
    'data': 'train_dataloader, val_dataloader and test_dataloader',
    'dist_params': 'env_cfg.dist_cfg',
    'evaluation': 'val_evaluator and train_cfg.val_interval',
    'fp16': "optim_wrapper.type='AmpOptimWrapper'",
    'log_config': 'default_hooks.logger',
    'lr_config': 'param_scheduler',
    'optimizer': 'optim_wrapper.optimizer',
    'optimizer_config': 'optim_wrapper.clip_grad',
    'resume_from': '--resume',
    'runner': 'train_cfg',
    'seed': 'randomness.seed',
    'total_epochs': 'train_cfg.max_epochs',
}
"""Keys of configs from before MMEngine, and their replacements."""


def check_names(cfg: Config) -> None:
    """Refuse a name that is very close to one that a runner reads.

    A config may have variables of any names. Those that no line of its files uses get a
    warning; near misses in published configs get only a warning too. A dump, whose
    lines use no variables, may have any.

    Args:
        cfg: The config as read from its file.

    Raises:
        ValueError: If there is such a name; the message suggests the right one.
    """
    used = _used(Path(cfg.filename))
    published: set[str] = set()
    own: set[str] = set()
    for file in files_of(Path(cfg.filename)):
        names = published if _is_published(file) else own
        names |= facts_of(file).assigned
    if not used - {'dict'}:
        # A dump, in which variables have been expanded.
        own = set()
    # Every other config has a `test_pipeline`.
    meant = runner_keys() - {'tta_pipeline'}
    idle = []
    # --method reads the `settings` of a pair.
    for name in sorted(cfg.keys() - runner_keys() - used - {'settings'}):
        hint = did_you_mean(name, meant, LIKELY)
        if hint and name not in published:
            raise ValueError(f'{cfg.filename}: nothing reads {name!r}.{hint}')
        if hint or name in own - published:
            former = f' (now {FORMER[name]})' if name in FORMER else ''
            idle.append(f'{name!r}{former or hint}')
    if idle:
        print_log(
            f'{cfg.filename}: nothing reads {listed(idle, 8)}.',
            'current',
            logging.WARNING,
        )


def _is_published(file: Path) -> bool:
    """Whether a file is one of a package's configs."""
    return '.mim' in file.parts or OWN in file.resolve().parents


def check_options(cfg: Config, options: Mapping[str, Any]) -> None:
    """Refuse overrides without effect.

    These are unknown keys, and variables that the config has already used.

    Args:
        cfg: The config to be changed.
        options: Values by key, with dots between the levels.

    Raises:
        ValueError: If there is such a key; the message names the closest one, or
            where the value of the variable went.
    """
    known = runner_keys()
    for key in options:
        head, dot, tail = key.partition('.')
        if head in known:
            continue
        if head in cfg:
            places = list(_places(cfg, known, head, cfg[head]))
            if not places:
                continue
            there = ', '.join(f'{place}{dot}{tail}' for place in places[:3])
            hint = f' The config has copied its value: change {there}.'
        elif head in (cfg.get('model') or {}).get('methods', {}):
            hint = f' Change settings of methods with --set {key}=...'
        else:
            hint = did_you_mean(head, known) or ' See the config for its keys.'
        raise ValueError(f'--cfg-options {key}: nothing reads {head!r}.{hint}')


def warn_of_idle_changes(file: Path) -> None:
    """Warn of variables that a config changes after its base has used them.

    For example, a base has built its optimiser wrapper from ``optimizer``. It is not an
    error because some published recipes do it.

    Args:
        file: The config file.
    """
    for path, name in _idle_changes(file, frozenset()):
        print_log(
            f'{path} changes {name!r} after the config that it inherits from has used '
            'it; nothing reads it afterwards: that has no effect. Change the key that '
            'uses it.',
            'current',
            logging.WARNING,
        )


def _idle_changes(path: Path, above: frozenset[str]) -> Iterator[tuple[Path, str]]:
    facts, own = facts_of(path), runner_keys() | {'_base_'}
    used = above | facts.used
    for base in facts.bases:
        for changed in sorted((facts.assigned - used - own) & _used(base)):
            yield path, changed
        yield from _idle_changes(base, used)


def _used(file: Path) -> set[str]:
    """The names used in a config and its bases."""
    return {name for path in files_of(file) for name in facts_of(path).used}


def _places(cfg: Config, known: frozenset[str], name: str, value: Any) -> Iterator[str]:
    """Keys that the runner reads and that have a variable's value.

    A single number or word may occur anywhere by chance, so it counts only under the
    variable's own name.
    """

    def look(part: Any, place: str) -> Iterator[str]:
        inner = part.items() if isinstance(part, Mapping) else enumerate(part)
        for key, held in inner:
            where = f'{place}.{key}'
            nested = isinstance(held, (Mapping, list, tuple))
            if held == value and (key == name or (nested and value)):
                yield where
            elif nested:
                yield from look(held, where)

    for key in cfg:
        if key in known and isinstance(cfg[key], (Mapping, list, tuple)):
            if cfg[key] == value:
                yield key
            else:
                yield from look(cfg[key], key)
