"""Names in the place of classes, in configs that are Python through and through."""

from collections.abc import Iterator
from typing import Any

from mmengine import registry as engine
from mmengine.config import Config
from mmengine.registry import Registry

from mmkd import registry as own

KEYS = ('type', 'constructor', 'runner_type')
"""Where a config names what is built."""


def type_names(cfg: Config) -> None:
    """Turn types that are given as classes into the names they are registered by.

    In a config with ``read_base`` a type is a class. What is registered is the same
    by its name, by which the tools know loops, hooks and optimiser wrappers.

    Args:
        cfg: The config; changed in place. A class that is not registered is named by
            its module, where MMEngine finds it too.
    """
    places = list(_classes_in(cfg._cfg_dict))
    if not places:
        return
    names: dict[Any, str] = {}
    for root in (*vars(engine).values(), *vars(own).values()):
        if isinstance(root, Registry) and root.parent is None:
            _collect(root, names)
    for place, key in places:
        kind = place[key]
        place[key] = names.get(kind) or f'{kind.__module__}.{kind.__qualname__}'


def _classes_in(value: Any) -> Iterator[tuple[dict[str, Any], str]]:
    if isinstance(value, dict):
        for key in list(value):
            if key in KEYS and isinstance(value[key], type):
                yield value, key
            yield from _classes_in(value[key])
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _classes_in(inner)


def _collect(registry: Registry, names: dict[Any, str]) -> None:
    for name, kind in registry.module_dict.items():
        scoped = name if registry.parent is None else f'{registry.scope}.{name}'
        names.setdefault(kind, scoped)
    for child in registry.children.values():
        _collect(child, names)
