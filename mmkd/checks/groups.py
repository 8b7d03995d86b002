"""Settings of parameters, against the parameters that there are."""

import logging

from mmengine.config import Config
from mmengine.logging import print_log
from torch import nn

from mmkd.nearest import did_you_mean


def warn_of_idle_keys(cfg: Config, model: nn.Module) -> None:
    """Warn of ``custom_keys`` that are in no parameter's name.

    An error would stop published recipes, which carry some.

    Args:
        cfg: The config of a training.
        model: What it trains.
    """
    groups = (cfg.get('optim_wrapper') or {}).get('paramwise_cfg') or {}
    keys = groups.get('custom_keys')
    if not keys:
        return
    names = [f'.{name}' for name, _ in model.named_parameters()]
    idle = [key for key in keys if not any(key in name for name in names)]
    if idle:
        modules = [name for name, _ in model.named_modules()]
        listed = ', '.join(f'{key!r}{did_you_mean(key, modules)}' for key in idle)
        print_log(
            'optim_wrapper.paramwise_cfg.custom_keys: no parameter has these in its '
            f'name, which change nothing: {listed}',
            'current',
            logging.WARNING,
        )
