"""Checks of a part of a config against the class that it builds."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from mmengine.registry import (
    DATA_SAMPLERS,
    DATASETS,
    HOOKS,
    LOG_PROCESSORS,
    LOOPS,
    METRICS,
    MODELS,
    OPTIM_WRAPPERS,
    OPTIMIZERS,
    PARAM_SCHEDULERS,
    TRANSFORMS,
    VISBACKENDS,
    VISUALIZERS,
    WEIGHT_INITIALIZERS,
    Registry,
)

from mmkd.arguments import check_arguments
from mmkd.checks.values import check_values
from mmkd.libraries import is_of_library
from mmkd.nearest import LIKELY, did_you_mean

INNER_MODELS = (
    'auxiliary_head',
    'backbone',
    'data_preprocessor',
    'decode_head',
    'head',
    'loss',
    'loss_decode',
    'neck',
    'student',
)
"""Parts of models that are built as configured; others get further arguments."""

LAYERS = ('act_cfg', 'conv_cfg', 'norm_cfg')
"""Settings that MMCV builds layers from, looking only at their types."""

STRICT = (
    DATA_SAMPLERS,
    HOOKS,
    LOG_PROCESSORS,
    LOOPS,
    METRICS,
    OPTIM_WRAPPERS,
    OPTIMIZERS,
    PARAM_SCHEDULERS,
    VISUALIZERS,
    WEIGHT_INITIALIZERS,
)
"""Registries that are complete: no package adds or builds other types later."""


class PartCheck:
    """Checks parts that registries build, and what is nested in them.

    Args:
        scope: The scope of types that name none.
    """

    def __init__(self, scope: str) -> None:
        self.scope = scope

    def part(
        self,
        where: str,
        part: Any,
        registry: Registry,
        besides: Iterable[str] = (),
        given: Iterable[str] = (),
    ) -> Any:
        """Check a part that a registry builds, and its nested parts.

        Returns:
            The class, if it is known.
        """
        if not isinstance(part, Mapping):
            return None
        kind = self.kind(where, part, registry)
        if kind is not None:
            aside = {'type', '_scope_'}
            if registry is WEIGHT_INITIALIZERS:
                # MMEngine removes it before building.
                aside.add('override')
            settings = {k: v for k, v in part.items() if k not in aside}
            check_arguments(where, kind, settings, given, besides)
            check_values(where, kind, settings)
        if registry is TRANSFORMS:
            _refuse_pickle(where, part)
        if registry is TRANSFORMS and kind is not None and _builds_itself(kind):
            return kind
        for name, value in part.items():
            inner = _registry_of(name, registry)
            if registry is MODELS and name in LAYERS and isinstance(value, Mapping):
                self.kind(f'{where}.{name}', value, MODELS, True, _scope_of(kind))
            if inner is None:
                continue
            if isinstance(value, Mapping):
                self.part(f'{where}.{name}', value, inner)
            elif isinstance(value, (list, tuple)):
                self.parts(f'{where}.{name}', value, inner)
        return kind

    def parts(self, where: str, values: Any, registry: Registry) -> None:
        """Check the parts in a list, which may be nested."""
        for number, value in enumerate(values):
            if isinstance(value, (list, tuple)):
                self.parts(f'{where}[{number}]', value, registry)
            else:
                self.part(f'{where}[{number}]', value, registry)

    def kind(
        self,
        where: str,
        part: Mapping[str, Any],
        registry: Registry,
        surely: bool = False,
        also: str | None = None,
    ) -> Any:
        """The class of a part; None if it has no type or the class is unknown.

        Args:
            where: Its path.
            part: The part.
            registry: The registry of its kind.
            surely: Whether an unknown type is an error, not only a misspelt one.
            also: A second scope to look for it.
        """
        kind = part.get('type')
        if not isinstance(kind, str):
            return kind
        found = None
        for scope in filter(None, (also, part.get('_scope_') or self.scope)):
            with (
                suppress(RuntimeError),
                registry.switch_scope_and_registry(scope) as own,
            ):
                found = found or own.get(kind)
        if found is None:
            surely = surely or registry in STRICT
            names = {*registry.module_dict, *own.module_dict}
            hint = did_you_mean(kind, names, 0.6 if surely else LIKELY)
            if hint or surely:
                raise ValueError(f'{where}: there is no type {kind!r}.{hint}')
        return found


def _refuse_pickle(where: str, value: Any) -> None:
    """Refuse transforms, nested at any depth, that run code in files."""
    if isinstance(value, (list, tuple)):
        for number, one in enumerate(value):
            _refuse_pickle(f'{where}[{number}]', one)
    elif isinstance(value, Mapping):
        if str(value.get('decode_backend')) == 'pickle':
            raise ValueError(
                f"{where}: decode_backend='pickle' would run code in the files. Save "
                "arrays with numpy.save and use decode_backend='numpy'."
            )
        for name, one in value.items():
            _refuse_pickle(f'{where}.{name}', one)


def _scope_of(kind: Any) -> str | None:
    """The scope of a model's class, in which it may look for its layers itself."""
    package = str(getattr(kind, '__module__', '')).partition('.')[0]
    return package if package in ('mmpretrain', 'mmseg') else None


def _builds_itself(transform: Any) -> bool:
    """Whether it may build the transforms that it holds in a way of its own."""
    return not is_of_library(transform) or transform.__name__.startswith('Albu')


def _registry_of(name: str, registry: Registry) -> Registry | None:
    """The registry for the values of a key in a part, given the part's registry."""
    if registry is DATASETS:
        if name in ('dataset', 'datasets'):
            return DATASETS
        return TRANSFORMS if name.endswith('pipeline') else None
    if registry is TRANSFORMS:
        # Policies get further arguments from the transform that holds them.
        return None if name == 'policies' else TRANSFORMS
    if registry is VISUALIZERS:
        return VISBACKENDS if name == 'vis_backends' else None
    if registry is MODELS:
        if name == 'init_cfg':
            return WEIGHT_INITIALIZERS
        return MODELS if name in INNER_MODELS else None
    return None
