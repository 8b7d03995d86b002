"""What a student's config has and the last lines of a pair replace."""

from collections.abc import Mapping
from typing import Any

from mmengine.config import Config

from mmkd.checks.places import several
from mmkd.config.sources import with_bases
from mmkd.config.type_names import type_names

OWN = 'mmkd.'
"""How the names of mmkd's modules and types begin."""


def keep_of_bases(cfg: Config) -> None:
    """Keep the student's modules and optimiser constructor in a distillation.

    ``custom_imports = _base_.distill_imports`` and ``optim_wrapper =
    _base_.distill_optim_wrapper`` replace those of the config with the student, which
    is a base of the pair.

    Args:
        cfg: The config of any training; changed in place.
    """
    imports, wrapper = cfg.get('custom_imports'), cfg.get('optim_wrapper') or {}
    names = several(imports['imports']) if imports else []
    lost_imports = names and all(name.startswith(OWN) for name in names)
    lost_constructor = _is_own(wrapper) and 'constructor' not in _paramwise(wrapper)
    if not lost_imports and not lost_constructor:
        return
    for base in with_bases(cfg):
        type_names(base)
        if lost_imports:
            found = several((base.get('custom_imports') or {}).get('imports') or [])
            names += [name for name in found if name not in names]
        other = base.get('optim_wrapper') or {}
        if lost_constructor and other.get('constructor') and not _is_own(other):
            lost_constructor = False
            wrapper['paramwise_cfg'] = {
                **_paramwise(wrapper), 'constructor': other['constructor']
            }
    if imports:
        cfg.custom_imports = {**imports, 'imports': names}


def _is_own(wrapper: Mapping[str, Any]) -> bool:
    return str(wrapper.get('constructor')).startswith(OWN)


def _paramwise(wrapper: Mapping[str, Any]) -> Mapping[str, Any]:
    return wrapper.get('paramwise_cfg') or {}
