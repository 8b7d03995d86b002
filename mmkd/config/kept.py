"""What a student's config has and the last lines of a pair replace."""

from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.utils import import_modules_from_strings

from mmkd.checks.places import several
from mmkd.config.reading import ConfigError, facts_of
from mmkd.config.type_names import type_names

OWN = 'mmkd.'
"""How the names of mmkd's modules and types begin."""


def keep_of_bases(cfg: Config) -> None:
    """Keep the student's modules and optimiser constructor in a distillation.

    ``custom_imports = _base_.distill_imports`` and ``optim_wrapper =
    _base_.distill_optim_wrapper`` replace those of the config with the student, which
    is a base of the pair. Where a file deletes one of these keys (``_delete_``),
    nothing is kept of its bases. A pair that takes the student by ``read_base`` has to
    keep both itself.

    Args:
        cfg: The config of any training; changed in place.

    Raises:
        ConfigError: If a module cannot be imported.
    """
    if not cfg.filename or not _distils(cfg):
        return
    settings = (cfg.get('optim_wrapper') or {}).get('paramwise_cfg') or {}
    constructor = _has_own_constructor(cfg) and 'constructor' not in settings
    _keep(cfg, Path(cfg.filename), _imports_own(cfg), constructor)


def _distils(cfg: Config) -> bool:
    return 'student' in (cfg.get('model') or {})


def _keep(cfg: Config, path: Path, imports: bool, constructor: bool) -> None:
    """Take each from the nearest base, on each branch, where it is not mmkd's.

    Args:
        cfg: The config; changed in place.
        path: The file whose bases are looked at.
        imports: Whether modules are still to be found there.
        constructor: Whether the constructor is.
    """
    facts = facts_of(path)
    imports = imports and 'custom_imports' not in facts.deleting
    constructor = constructor and 'optim_wrapper' not in facts.deleting
    if not imports and not constructor:
        return
    for file in facts.bases:
        base = Config.fromfile(file, import_custom_modules=False)
        type_names(base)
        if imports and not _imports_own(base):
            _import(cfg, base)
        kind = (base.get('optim_wrapper') or {}).get('constructor')
        if constructor and kind and not _has_own_constructor(base):
            wrapper = cfg.optim_wrapper
            settings = wrapper.get('paramwise_cfg') or {}
            wrapper['paramwise_cfg'] = {**settings, 'constructor': kind}
        if _distils(base):
            _keep(
                cfg,
                file,
                imports and _imports_own(base),
                constructor and _has_own_constructor(base),
            )


def _import(cfg: Config, base: Config) -> None:
    names = [name for name in _imports(base) if name not in _imports(cfg)]
    if not names:
        return
    settings = {**base.custom_imports, 'imports': names}
    try:
        import_modules_from_strings(**settings)
    except Exception as error:
        # A module is a program and may raise any exception.
        raise ConfigError(
            f'{base.filename}, custom_imports: {type(error).__name__}: {error}'
        ) from error
    cfg.custom_imports = {
        **settings, **cfg.custom_imports, 'imports': [*_imports(cfg), *names]
    }


def _imports(cfg: Config) -> list[Any]:
    return several((cfg.get('custom_imports') or {}).get('imports') or [])


def _imports_own(cfg: Config) -> bool:
    names = _imports(cfg)
    return bool(names) and all(str(name).startswith(OWN) for name in names)


def _has_own_constructor(cfg: Config) -> bool:
    wrapper = cfg.get('optim_wrapper') or {}
    return str(wrapper.get('constructor')).startswith(OWN)
