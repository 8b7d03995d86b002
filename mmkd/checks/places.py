"""Find the dataloaders, data sets, schedulers, hooks and metrics of a config."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mmengine.config import Config

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')

WRAPPED = ('dataset', 'datasets')
"""Keys of the data sets in one that wraps others."""


def several(value: Any) -> list[Any]:
    """A list of the values, which may be a single one."""
    return list(value) if isinstance(value, (list, tuple)) else [value]


def hooks_of(cfg: Config | Mapping[str, Any]) -> dict[str, Any]:
    """Hooks by their keys in the config; values may be None or malformed."""
    default = (cfg.get('default_hooks') or {}).items()
    custom = enumerate(several(cfg.get('custom_hooks')))
    return {
        **{f'default_hooks.{name}': hook for name, hook in default},
        **{f'custom_hooks[{number}]': hook for number, hook in custom},
    }


def schedulers_of(cfg: Config) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Parameter schedulers and their keys: one, several, or by optimiser."""

    def within(where: str, found: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
        if isinstance(found, (list, tuple)):
            for number, inner in enumerate(found):
                yield from within(f'{where}[{number}]', inner)
        elif isinstance(found, Mapping) and 'type' in found:
            yield where, found
        elif isinstance(found, Mapping):
            for name, inner in found.items():
                yield from within(f'{where}.{name}', inner)

    yield from within('param_scheduler', cfg.get('param_scheduler'))


def metrics_of(evaluator: Any) -> list[Any]:
    """The metrics of an evaluator, or those given instead of one."""
    if isinstance(evaluator, Mapping) and 'metrics' in evaluator:
        evaluator = evaluator['metrics']
    return several(evaluator)


def datasets_of(
    cfg: Config | Mapping[str, Any], loaders: Sequence[str] = LOADERS
) -> Iterator[tuple[str, Any]]:
    """The data sets of dataloaders and their keys, unwrapped at any depth.

    Args:
        cfg: The config.
        loaders: The names of dataloaders, which may be missing or None.
    """
    for name in loaders:
        loader = cfg.get(name) or {}
        yield from _unwrapped(f'{name}.dataset', loader.get('dataset'))


def _unwrapped(where: str, dataset: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(dataset, (list, tuple)):
        for number, one in enumerate(dataset):
            yield from _unwrapped(f'{where}[{number}]', one)
    elif isinstance(dataset, Mapping):
        inner = [key for key in WRAPPED if dataset.get(key)]
        for key in inner:
            yield from _unwrapped(f'{where}.{key}', dataset[key])
        if not inner:
            yield where, dataset


def short_name(part: Mapping[str, Any]) -> str:
    """The type of a part without its scope, which may be given as a class.

    Args:
        part: Its config.
    """
    kind = part.get('type')
    name = kind if isinstance(kind, str) else getattr(kind, '__name__', '')
    return name.replace('/', '.').rpartition('.')[2]
