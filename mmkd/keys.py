"""Keys of a config that nothing reads."""

import inspect
from collections.abc import Mapping
from typing import Any

from mmengine.config import Config
from mmengine.runner import FlexibleRunner, Runner

from mmkd.nearest import did_you_mean

BESIDE_ARGUMENTS = (
    'activation_checkpointing',
    'custom_imports',
    'efficient_conv_bn_eval',
    'find_unused_parameters',
    'model_wrapper_cfg',
    'runner_type',
    'sync_bn',
    'tta_model',
    'tta_pipeline',
)
"""What MMEngine's runners and the tools read of a config beside their arguments."""


def runner_keys() -> set[str]:
    """Names at the top level of a config that a runner reads."""
    kinds = Runner, FlexibleRunner
    arguments = {name for kind in kinds for name in inspect.signature(kind).parameters}
    return arguments.union(BESIDE_ARGUMENTS)


def check_options(cfg: Config, options: Mapping[str, Any]) -> None:
    """Refuse overrides of keys that neither the config nor the runner knows.

    Args:
        cfg: The config that is to be changed.
        options: Values by key, with dots between the levels.

    Raises:
        ValueError: If there is such a key; the message names the nearest.
    """
    known = runner_keys() | cfg.keys()
    for key in options:
        head, _, _ = key.partition('.')
        if head in known:
            continue
        if head in (cfg.get('model') or {}).get('methods', {}):
            hint = f' Settings of methods are changed by --set {key}=...'
        else:
            hint = did_you_mean(head, known) or ' See the config for its keys.'
        raise ValueError(f'--cfg-options {key}: nothing reads {head!r}.{hint}')
