"""Parameter-wise settings, checked against the parameters of the model."""

import logging

from mmengine.config import Config
from mmengine.logging import print_log
from torch import nn

from mmkd.nearest import did_you_mean


def warn_of_idle_keys(cfg: Config, model: nn.Module) -> None:
    """Warn of ``custom_keys`` that match no parameter name.

    It is not an error because some published recipes have such keys.

    Args:
        cfg: The config of a training.
        model: The model to train.
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
            'optim_wrapper.paramwise_cfg.custom_keys: these match no parameter name '
            f'and have no effect: {listed}',
            'current',
            logging.WARNING,
        )
