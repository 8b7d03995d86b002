"""The methods of a distiller: building them by name, and their common settings."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

import torch
from mmengine.registry import DefaultScope
from torch import Tensor, nn

from mmkd.models.discovery import ModelView
from mmkd.models.methods import Method
from mmkd.models.methods.values import check_number
from mmkd.models.parts import build_part, check_part
from mmkd.registry import METHODS


def build_method(name: str, cfg: dict[str, Any], **views: ModelView) -> Method:
    """Build one method under a name that works for modules and log keys.

    Args:
        name: Its name.
        cfg: Its config.
        **views: ``student`` and ``teacher``.

    Raises:
        ValueError: If the name is invalid or the type missing; see :func:`build_part`.
    """
    _check_name(name, cfg)
    with _own_scope():
        return build_part(METHODS, f'methods.{name}', cfg, **views)


def check_method(name: str, cfg: Mapping[str, Any]) -> None:
    """Check a method's name and the names and types of its settings.

    Args:
        name: Its name.
        cfg: Its config.

    Raises:
        ValueError: If the name is invalid or the type missing; see :func:`check_part`.
        TypeError: Likewise.
    """
    _check_name(name, cfg)
    with _own_scope():
        check_part(METHODS, f'methods.{name}', cfg, ('student', 'teacher'))


def _own_scope() -> AbstractContextManager[Any]:
    """The losses and heads that methods name are mmkd's."""
    scope: AbstractContextManager[Any] = DefaultScope.overwrite_default_scope('mmkd')
    return scope


def _check_name(name: str, cfg: Mapping[str, Any]) -> None:
    if not name or '.' in name or hasattr(nn.ModuleDict, name):
        raise ValueError(
            f'a method cannot be called {name!r}: a name must not be empty, contain '
            'a dot or be an attribute of ModuleDict.'
        )
    if 'loss' in name:
        raise ValueError(
            f"methods.{name}: a method's name must not contain 'loss', which "
            'marks the logged values that are minimised.'
        )
    if cfg.get('type') is None:
        raise ValueError(
            f'methods.{name} has no type. Is it the name of a method of the '
            'base config, misspelt? Known types: '
            f'{", ".join(sorted(METHODS.module_dict))}.'
        )


def agreed_weight(task_weight: float | None, methods: Mapping[str, Method]) -> float:
    """The task's weight, explicit or as the methods set it.

    Raises:
        ValueError: If they set different ones; see also :func:`check_number`.
    """
    named = {
        name: method.task_weight
        for name, method in methods.items()
        if method.task_weight is not None and method.weight > 0
    }
    if task_weight is None and len(set(named.values())) > 1:
        listed = ', '.join(f'methods.{name} {weight}' for name, weight in named.items())
        raise ValueError(
            f'methods set different task weights: {listed}. Set task_weight of the '
            'distiller.'
        )
    if task_weight is None:
        task_weight = next(iter(named.values()), 1.0)
    check_number('task_weight', task_weight)
    return task_weight


def idle_terms(method: Method) -> dict[str, Tensor]:
    """A zero that keeps an idle method's parameters in the graph.

    Data parallelism waits for the gradient of every parameter.
    """
    parameters = list(method.parameters())
    if not parameters:
        return {}
    return {'loss': 0 * torch.stack([p.sum() for p in parameters]).sum()}
