"""Pairs and methods: assembling experiments from the command line.

A pair (``configs/_base_/pairs``) is a student, a teacher, data and a schedule;
its ``settings`` override those of methods for this pair. A method
(``configs/_base_/methods``) is a file of variables, each the config of one
method under its own name. What a method needs differently per pixel is in
``configs/_base_/per_pixel.py``.
"""

import copy
import logging
from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.hub import get_config
from mmengine.logging import print_log

import mmkd
from mmkd.checks import check_shapes
from mmkd.checks.places import hooks_of, several
from mmkd.config.kept import keep_of_bases
from mmkd.config.keys import check_names, warn_of_idle_changes
from mmkd.config.reading import facts_of, read_config
from mmkd.config.sources import (
    mark_changes,
    mark_changes_by_files,
    methods_of,
    with_bases,
    without_source,
)
from mmkd.config.type_names import type_names
from mmkd.models.build import student_dict
from mmkd.models.deploy import drop_distillation, names_own_types
from mmkd.nearest import nearest_and_known
from mmkd.setup import setup

CONFIGS = Path(mmkd.__file__).parent / '.mim' / 'configs'
OWN = 'mmkd.engine'
"""What has to be imported for the types that a config names of mmkd."""

NONE = 'none'
"""The name for the student alone."""

TOGETHER = '+'
"""Separator of methods that are used together."""

TAKEN_BY = {
    'distiller': 'model',
    'distill_hooks': 'default_hooks',
    'distill_imports': 'custom_imports',
    'distill_optim_wrapper': 'optim_wrapper',
}
"""The variables that a pair passes on, and the keys that they go to."""

LISTS = ('custom_hooks', 'param_scheduler')
"""Keys that may hold a tuple, into which MMEngine merges no option."""


def load_config(name: str) -> Config:
    """Read a config, as the tools do.

    Args:
        name: Path of a config file, of one in a package (``mmkd::...``,
            ``mmseg::...``), or the name of a pair.

    Raises:
        FileNotFoundError: If there is none; the message names the closest pair.
        ConfigError: If it cannot be read.
        TypeError: If something in it must be a dict but is not.
        ValueError: If it has no model, or a name that is most likely a misspelt
            key of the runner.
    """
    setup()
    cfg = _read(name)
    type_names(cfg)
    keep_of_bases(cfg)
    _import_own(cfg)
    for key in LISTS:
        if isinstance(cfg.get(key), tuple):
            cfg[key] = list(cfg[key])
    return cfg


def _import_own(cfg: Config) -> None:
    """Import what the config names of mmkd, and have its dump do so too."""
    if not names_own_types(cfg.to_dict()):
        return
    imports = cfg.get('custom_imports') or {}
    names = several(imports.get('imports') or [])
    if OWN not in names:
        import_module(OWN)
        cfg.custom_imports = {**imports, 'imports': [*names, OWN]}


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
    """Set the methods of a distillation, with the settings for pixels and the pair's.

    A method keeps the settings that the config has given it itself.

    Args:
        cfg: The config of a pair or a distillation; changed in place.
        names: Names of methods of the config or of files in
            ``configs/_base_/methods``, each by itself or several joined by ``+``, or
            only ``none`` for the student without a teacher, with all else equal.

    Raises:
        ValueError: If a name is unknown, ``none`` is combined with others, or the
            config has no teacher.
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
        raise ValueError(f'--method {NONE} is the student alone: name no other method.')
    files = {file.stem: file for file in _files('methods')}
    own, methods = own_methods(cfg), {}
    for name in names:
        if name not in files and name not in own:
            known = nearest_and_known(name, [*files, *own, NONE])
            raise ValueError(f'--method: unknown {name!r}.{known}')
        composed = _composed(files[name], cfg) if name in files else {name: own[name]}
        for method, values in composed.items():
            methods[method] = own.get(method, values)
    cfg.model.methods = ConfigDict(methods)


def own_methods(cfg: Config) -> dict[str, Any]:
    """The methods that a config has given settings itself.

    Others have those that ``--method`` gives them in the same file, or in one that it
    inherits them from.

    Args:
        cfg: The config of a distillation.
    """
    found = {name: method for name, method in methods_of(cfg).items() if method}
    made: dict[str, list[Any]] = {name: [] for name in found}
    files = _files('methods') if found else []
    for each in with_bases(cfg) if found else ():
        there = methods_of(each)
        for file in files if there else ():
            for name, values in _composed(file, each).items():
                settings = without_source(values)
                held = there.get(name) if name in found else None
                if held and without_source(held) == settings:
                    made[name].append(settings)
    return {
        name: method
        for name, method in found.items()
        if without_source(method) not in made[name]
    }


def _composed(file: Path, cfg: Config) -> dict[str, dict[str, Any]]:
    """The methods in a file, with the settings for pixels and of a config."""
    per_pixel = {}
    if 'decode_head' in student_dict(cfg.model):
        per_pixel = Config.fromfile(CONFIGS / '_base_' / 'per_pixel.py').settings
    settings = cfg.get('settings') or {}
    return {
        method: {**values, **per_pixel.get(method, {}), **settings.get(method, {})}
        for method, values in Config.fromfile(file).to_dict().items()
    }


def set_values(cfg: Config, values: Mapping[str, Any]) -> None:
    """Change settings of methods, which no longer count as published then.

    Args:
        cfg: The config of a distillation; changed in place.
        values: Values by ``METHOD.SETTING``, such as ``dual_head.weight``.

    Raises:
        ValueError: If the distillation has no such method.
    """
    methods = methods_of(cfg)
    for name in values:
        method, _, setting = name.partition('.')
        if not methods:
            raise ValueError(f'--set {name}: there is no method in the config.')
        if method not in methods or not setting:
            raise ValueError(
                f'--set takes METHOD.SETTING=VALUE, got {name!r}.'
                f'{nearest_and_known(method, methods)}'
            )
    before = copy.deepcopy(methods)
    cfg.merge_from_dict({f'model.methods.{name}': v for name, v in values.items()})
    mark_changes(cfg, before)


def name_missing_hooks(cfg: Config) -> None:
    """Warn of usual hooks that a handwritten config of a distillation lacks.

    Args:
        cfg: The config of any training. A hook that is None under its usual name
            counts as disabled on purpose.
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
            'some hooks that a distillation should have are missing: default_hooks '
            f'lacks {", ".join(missing)}. Add them, or set them to None.',
            'current',
            logging.WARNING,
        )


def drop_parts(cfg: Config) -> None:
    """Drop the variables that an experiment was assembled from.

    What is trained is in ``model.methods`` and ``default_hooks``.

    Args:
        cfg: The config; changed in place.

    Raises:
        ValueError: If the file, or one that it inherits from, changes such a
            variable after its base has used it, which would have no effect.
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
    for path in facts_of(Path(file)).bases:
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
                    f'{file} changes the variable {part!r} after the config that it '
                    f'inherits from has used it: that has no effect. Write '
                    f'{advice}, which merges into the result.'
                )
        if parts & base.keys():
            _check_changes(str(path), base, parts, methods)


def _files(kind: str) -> list[Path]:
    return sorted((CONFIGS / '_base_' / kind).glob('*.py'))
