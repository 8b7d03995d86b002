"""What a student's config has and the last lines of a pair replace."""

from collections.abc import Callable, Iterator, Mapping
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
    is a base of the pair. A pair that takes it by ``read_base`` has to keep them
    itself.

    Args:
        cfg: The config of any training; changed in place.

    Raises:
        ConfigError: If a module cannot be imported.
    """
    if not cfg.filename:
        return
    if _names_own(_imports(cfg)):
        for base in _replaced(Path(cfg.filename), _names_only_own_imports):
            _import(cfg, base)
    wrapper = cfg.get('optim_wrapper') or {}
    settings = wrapper.get('paramwise_cfg') or {}
    if _is_own(wrapper) and 'constructor' not in settings:
        for base in _replaced(Path(cfg.filename), _has_own_constructor):
            other = base.get('optim_wrapper') or {}
            read = other.get('paramwise_cfg') or {}
            if 'constructor' in other and read.keys() <= settings.keys():
                settings = {**settings, 'constructor': other['constructor']}
                wrapper['paramwise_cfg'] = settings


def _replaced(path: Path, is_own: Callable[[Config], bool]) -> Iterator[Config]:
    """On each branch of bases the nearest one that has something of its own."""
    for file in facts_of(path).bases:
        base = Config.fromfile(file, import_custom_modules=False)
        type_names(base)
        if is_own(base):
            yield from _replaced(file, is_own)
        else:
            yield base


def _import(cfg: Config, base: Config) -> None:
    names = [name for name in _imports(base) if name not in _imports(cfg)]
    if not names:
        return
    settings = {**base.custom_imports, 'imports': names}
    try:
        import_modules_from_strings(**settings)
    except ImportError as error:
        raise ConfigError(f'{base.filename}, custom_imports: {error}') from error
    cfg.custom_imports = {
        **settings, **cfg.custom_imports, 'imports': [*_imports(cfg), *names]
    }


def _imports(cfg: Config) -> list[Any]:
    return several((cfg.get('custom_imports') or {}).get('imports') or [])


def _names_own(names: list[Any]) -> bool:
    return bool(names) and all(str(name).startswith(OWN) for name in names)


def _names_only_own_imports(cfg: Config) -> bool:
    return _names_own(_imports(cfg))


def _is_own(wrapper: Mapping[str, Any]) -> bool:
    return str(wrapper.get('constructor')).startswith(OWN)


def _has_own_constructor(cfg: Config) -> bool:
    return _is_own(cfg.get('optim_wrapper') or {})
