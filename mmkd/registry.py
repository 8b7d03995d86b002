"""mmkd's nodes in MMEngine's registry tree, under the scope ``mmkd``."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

try:
    from mmengine.registry import DATASETS as MMENGINE_DATASETS
    from mmengine.registry import HOOKS as MMENGINE_HOOKS
    from mmengine.registry import LOOPS as MMENGINE_LOOPS
    from mmengine.registry import MODEL_WRAPPERS as MMENGINE_MODEL_WRAPPERS
    from mmengine.registry import MODELS as MMENGINE_MODELS
    from mmengine.registry import (
        OPTIM_WRAPPER_CONSTRUCTORS as MMENGINE_OPTIM_WRAPPER_CONSTRUCTORS,
    )
    from mmengine.registry import OPTIM_WRAPPERS as MMENGINE_OPTIM_WRAPPERS
    from mmengine.registry import DefaultScope, Registry
except ModuleNotFoundError as error:
    if error.name != 'mmengine':
        raise
    raise ImportError(
        'mmkd cannot find MMEngine. Install one of the two stacks that it extends: '
        "pip install 'mmkd[onedl]' (the maintained continuation) or "
        "pip install 'mmkd[openmmlab]' (the original packages)"
    ) from None

MODELS = Registry(
    'model',
    parent=MMENGINE_MODELS,
    scope='mmkd',
    locations=[
        'mmkd.models.backbones',
        'mmkd.models.distiller',
        'mmkd.models.heads',
        'mmkd.models.losses',
        'mmkd.models.preprocessors',
    ],
)
"""Distillers, losses, heads, backbones and data preprocessors."""

METHODS = Registry('method', scope='mmkd', locations=['mmkd.models.methods'])
"""Distillation techniques; MMEngine has no node of this kind to inherit from."""

TEACHERS = Registry('teacher', scope='mmkd', locations=['mmkd.models.teachers'])
"""Teachers; not part of MMEngine's tree either."""

OPTIM_WRAPPER_CONSTRUCTORS = Registry(
    'optimizer wrapper constructor',
    parent=MMENGINE_OPTIM_WRAPPER_CONSTRUCTORS,
    scope='mmkd',
    locations=['mmkd.engine.optim'],
)

MODEL_WRAPPERS = Registry(
    'model_wrapper',
    parent=MMENGINE_MODEL_WRAPPERS,
    scope='mmkd',
    locations=['mmkd.engine'],
)

DATASETS = Registry(
    'dataset', parent=MMENGINE_DATASETS, scope='mmkd', locations=['mmkd.datasets']
)

HOOKS = Registry(
    'hook',
    parent=MMENGINE_HOOKS,
    scope='mmkd',
    locations=['mmkd.engine.hooks', 'mmkd.resilience'],
)

LOOPS = Registry(
    'loop', parent=MMENGINE_LOOPS, scope='mmkd', locations=['mmkd.resilience']
)

OPTIM_WRAPPERS = Registry(
    'optim_wrapper',
    parent=MMENGINE_OPTIM_WRAPPERS,
    scope='mmkd',
    locations=['mmkd.engine.optim'],
)


def scope_of(settings: Mapping[str, Any]) -> AbstractContextManager[Any]:
    """A context in which registry names resolve in the scope of a config.

    Args:
        settings: The config.
    """
    scope: AbstractContextManager[Any] = DefaultScope.overwrite_default_scope(
        settings.get('default_scope')
    )
    return scope
