"""What a student's config has and the last lines of a pair replace."""

from collections.abc import Callable, Iterator
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
    path = Path(cfg.filename)
    if _imports_own(cfg):
        for base in _replaced(path, 'custom_imports', _imports_own):
            _import(cfg, base)
    wrapper = cfg.get('optim_wrapper') or {}
    settings = wrapper.get('paramwise_cfg') or {}
    if _has_own_constructor(cfg) and 'constructor' not in settings:
        for base in _replaced(path, 'optim_wrapper', _has_own_constructor):
            kind = (base.get('optim_wrapper') or {}).get('constructor')
            if kind:
                wrapper['paramwise_cfg'] = {**settings, 'constructor': kind}


def _distils(cfg: Config) -> bool:
    return 'student' in (cfg.get('model') or {})


def _replaced(
    path: Path, key: str, is_own: Callable[[Config], bool]
) -> Iterator[Config]:
    """On each branch of bases the nearest one with a value that is not mmkd's."""
    facts = facts_of(path)
    for file in () if key in facts.deleting else facts.bases:
        base = Config.fromfile(file, import_custom_modules=False)
        type_names(base)
        if not is_own(base):
            yield base
        elif _distils(base):
            yield from _replaced(file, key, is_own)


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
