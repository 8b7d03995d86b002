"""Registered names of types, in whichever form a config gives them."""

from collections.abc import Iterator
from typing import Any

from mmengine import registry as engine
from mmengine.config import Config
from mmengine.registry import Registry
from mmengine.utils import get_object_from_string

from mmkd import registry as own

KEYS = ('type', 'constructor', 'runner_type')
"""Keys under which a config names what to build."""


BARE = (
    'AmpOptimWrapper',
    'CheckpointHook',
    'DDPStrategy',
    'EarlyStoppingHook',
    'EpochBasedTrainLoop',
    'IterBasedTrainLoop',
    'MMDistributedDataParallel',
    'OptimWrapper',
)
"""MMEngine's types that the tools look for by their bare names.

Other types keep their scope, as another library may have one of the same name.
"""

LIBRARIES = ('mmcv', 'mmengine', 'mmkd', 'mmpretrain', 'mmseg')


def type_names(cfg: Config) -> None:
    """Replace types by the names that they are registered under.

    In a config with ``read_base`` a type is a class, and in a dump of it the class's
    import path. The tools identify loops, hooks and optimiser wrappers by name.

    Args:
        cfg: The config; changed in place. A class that is not registered is replaced
            by its import path, which MMEngine can resolve too.
    """
    places = list(_types_in(cfg._cfg_dict))
    if not places:
        return
    names: dict[Any, str] = {}
    for root in (*vars(engine).values(), *vars(own).values()):
        if isinstance(root, Registry) and root.parent is None:
            _collect(root, names)
    for place, key in places:
        kind = place[key]
        if isinstance(kind, str):
            kind = get_object_from_string(kind) or kind
        if isinstance(kind, type):
            kind = names.get(kind) or f'{kind.__module__}.{kind.__qualname__}'
        if isinstance(kind, str):
            bare = kind.removeprefix('mmengine.')
            place[key] = bare if bare in BARE else kind


def _types_in(value: Any) -> Iterator[tuple[dict[str, Any], str]]:
    """Locations of types that are classes, or names with more than a scope."""
    if isinstance(value, dict):
        for key in list(value):
            kind = value[key]
            if key in KEYS and (isinstance(kind, type) or _is_long(kind)):
                yield value, key
            yield from _types_in(kind)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _types_in(inner)


def _is_long(kind: Any) -> bool:
    parts = kind.split('.') if isinstance(kind, str) else ['']
    return parts[0] in LIBRARIES and (len(parts) > 2 or parts[0] == 'mmengine')


def _collect(registry: Registry, names: dict[Any, str]) -> None:
    for name, kind in registry.module_dict.items():
        names.setdefault(kind, f'{registry.scope}.{name}')
    for child in registry.children.values():
        _collect(child, names)
