"""What a training starts with, in one table."""

import copy
from typing import Any

from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmkd.engine.runner_distiller import distiller_of
from mmkd.models.summary import summary
from mmkd.random_state import random_state_kept
from mmkd.registry import HOOKS


@HOOKS.register_module()
class StartTableHook(Hook):
    """Log weights, schedules, taps and networks once, before the first iteration.

    The table shows what mmkd found in the models by itself.
    """

    def __init__(self) -> None:
        self._shown = False

    @master_only
    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Log the table, with the sizes of the first batch."""
        if self._shown:
            return
        self._shown = True
        distiller = distiller_of(runner)
        with random_state_kept(next(distiller.parameters()).device):
            # Preprocessors change a batch in place.
            batch = distiller.data_preprocessor(copy.deepcopy(data_batch), True)
        rates = {
            group['method']: group['lr']
            for group in runner.optim_wrapper.optimizer.param_groups
            if 'method' in group
        }
        table = summary(distiller, batch['inputs'][0], rates)
        runner.logger.info(f'Distillation\n{table}')
