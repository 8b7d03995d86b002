"""Pairs and methods: how experiments are put together from the command line.

A pair (``configs/_base_/pairs``) is a student, a teacher, data and a schedule,
and says in ``settings`` what a method needs differently there. A method
(``configs/_base_/methods``) is a file of variables, each the config of one
method under its own name.
"""

import copy
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.hub import get_config
from mmengine.logging import print_log

import mmkd
from mmkd.checks import check_shapes
from mmkd.checks.places import hooks_of
from mmkd.config.keys import check_names, warn_of_idle_changes
from mmkd.config.reading import read_config
from mmkd.config.sources import mark_changes, mark_changes_by_files, methods_of
from mmkd.config.type_names import type_names
from mmkd.models.deploy import drop_distillation
from mmkd.nearest import nearest_and_known
from mmkd.setup import setup

CONFIGS = Path(mmkd.__file__).parent / '.mim' / 'configs'
NONE = 'none'
"""The name that stands for the student alone."""

TOGETHER = '+'
"""Separator of methods that are used together."""

TAKEN_BY = {
    'distiller': 'model',
    'distill_hooks': 'default_hooks',
    'distill_optim_wrapper': 'optim_wrapper',
}
"""The variables that a pair hands on, and to what."""


def load_config(name: str) -> Config:
    """Read a config, as the tools do.

    Args:
        name: Path of a config file, one in a package (``mmkd::...``,
            ``mmseg::...``), or the name of a pair.

    Raises:
        FileNotFoundError: If there is none; the message names the nearest pair.
        ConfigError: If it cannot be read.
        TypeError: If something in it must be a dict and is none.
        ValueError: If it has no model, or a name that is most likely one that a
            runner reads, misspelt.
    """
    setup()
    cfg = _read(name)
    type_names(cfg)
    return cfg


def _read(name: str) -> Config:
    path = Path(name)
    if '::' in name:
        scope, _, rest = name.partition('::')
        if scope != 'mmkd':
            return get_config(name)
        path = CONFIGS / rest
    elif not path.suffix and not path.exists():
        pairs = {file.stem: file for file in _files('pairs')}
        if name not in pairs:
            raise FileNotFoundError(
                f'there is no config file and no pair {name!r}.'
                + nearest_and_known(name, pairs)
            )
        path = pairs[name]
    cfg = read_config(path)
    check_names(cfg)
    check_shapes(cfg)
    warn_of_idle_changes(path)
    mark_changes_by_files(cfg, path)
    return cfg


def set_methods(cfg: Config, names: Iterable[str]) -> None:
    """Let a distillation use these methods, with the pair's settings.

    Args:
        cfg: The config of a pair or a distillation; changed in place.
        names: Names of files in ``configs/_base_/methods``, each by itself or
            several joined by ``+``, or ``none`` alone for the student without a
            teacher, with all else equal.

    Raises:
        ValueError: If a name is unknown, ``none`` is not alone, or the config has
            no teacher.
    """
    names = [name for several in names for name in several.split(TOGETHER)]
    if names == [NONE]:
        drop_distillation(cfg)
        return
    if 'teacher' not in cfg.model:
        raise ValueError(
            f'{cfg.filename} trains {cfg.model.type} without a teacher: --method '
            'needs a pair of a student and a teacher.'
        )
    if NONE in names:
        raise ValueError(f'--method {NONE} is the student alone: it stands alone too.')
    files = {file.stem: file for file in _files('methods')}
    settings, methods = cfg.get('settings') or {}, {}
    for name in names:
        if name not in files:
            raise ValueError(
                f'--method knows no {name!r}.{nearest_and_known(name, [*files, NONE])}'
            )
        for method, values in Config.fromfile(files[name]).to_dict().items():
            methods[method] = {**values, **settings.get(method, {})}
    cfg.model.methods = ConfigDict(methods)


def set_values(cfg: Config, values: Mapping[str, Any]) -> None:
    """Change settings of methods, which are no published ones then.

    Args:
        cfg: The config of a distillation; changed in place.
        values: Values by ``METHOD.SETTING``, as ``dual_head.weight``.

    Raises:
        ValueError: If the distillation has no such method.
    """
    methods = methods_of(cfg)
    for name in values:
        method, _, setting = name.partition('.')
        if not methods:
            raise ValueError(f'--set {name}: there is no method whose setting it is.')
        if method not in methods or not setting:
            raise ValueError(
                f'--set takes METHOD.SETTING=VALUE, and got {name!r}.'
                f'{nearest_and_known(method, methods)}'
            )
    before = copy.deepcopy(methods)
    cfg.merge_from_dict({f'model.methods.{name}': v for name, v in values.items()})
    mark_changes(cfg, before)


def name_missing_hooks(cfg: Config) -> None:
    """Warn of what a distillation's config, written by hand, goes without.

    Args:
        cfg: The config of any training. A hook under its usual name that is None
            is done without on purpose.
    """
    if 'teacher' not in cfg.model:
        return
    hooks = cfg.get('default_hooks') or {}
    there = {hook.get('type') for hook in hooks_of(cfg).values() if hook}
    usual = Config.fromfile(CONFIGS / '_base_' / 'distill.py').distill_hooks
    missing = [
        f'{name}=dict(type={hook.type!r})'
        for name, hook in usual.items()
        if name not in hooks and hook.type not in there
    ]
    if missing:
        print_log(
            'not all that a distillation has is done here: default_hooks lacks '
            f'{", ".join(missing)}. Add them, or None under their names.',
            'current',
            logging.WARNING,
        )


def drop_parts(cfg: Config) -> None:
    """Drop the variables that an experiment was put together from.

    What trains stands in ``model.methods`` and ``default_hooks``.

    Args:
        cfg: The config; changed in place.

    Raises:
        ValueError: If the file, or one that it inherits from, changes such a
            variable after its base has used it: that would do nothing.
    """
    parts = {name for file in _files('methods') for name in Config.fromfile(file)}
    parts |= {'settings', *TAKEN_BY}
    if cfg.filename and parts & cfg.keys():
        own = Config.fromfile(cfg.filename)
        _check_changes(cfg.filename, own, parts, cfg.model.get('methods') or {})
    for name in parts & cfg.keys():
        cfg.pop(name)


def _check_changes(
    file: str, own: Config, parts: set[str], methods: Mapping[str, Any]
) -> None:
    for name in Config._get_base_files(file):
        path, _ = Config._get_cfg_path(name, file)
        base = Config.fromfile(path)
        for part in parts & base.keys():
            if own[part] == base[part]:
                continue
            if part == 'settings':
                used = (base.get('model') or {}).get('methods') or {}
                changed = [m for m in used if own[part].get(m) != base[part].get(m)]
                idle = [m for m in changed if methods.get(m) == used[m]]
                advice = f'model = dict(methods=dict({idle[0]}=...))' if idle else ''
            elif part in TAKEN_BY:
                advice = f'{TAKEN_BY[part]} = dict(...)'
            else:
                advice = f'model = dict(methods=dict({part}=dict(...)))'
            if advice:
                raise ValueError(
                    f'{file} changes the variable {part!r}, which the config that it '
                    f'inherits from has already used: that does nothing. Write '
                    f'{advice}, which merges into what trains.'
                )
        if parts & base.keys():
            _check_changes(path, base, parts, methods)


def _files(kind: str) -> list[Path]:
    return sorted((CONFIGS / '_base_' / kind).glob('*.py'))
