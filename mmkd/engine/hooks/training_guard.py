"""Stops a training that cannot succeed."""

import math
from collections.abc import Sequence
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmkd.registry import HOOKS


@HOOKS.register_module()
class TrainingGuardHook(Hook):
    """Stop at an empty data set, and at the first loss that is not finite.

    It runs before checkpoints are written, so that the last one that exists
    comes from before the loss went wrong. MMEngine's loggers read every loss
    in every iteration as it is: looking at it here costs no extra wait for
    the device.
    """

    priority = 'VERY_HIGH'

    def before_train(self, runner: Runner) -> None:
        """Look whether there is anything to train on.

        Raises:
            ValueError: If the training set is empty.
        """
        dataset = runner.train_dataloader.dataset
        if len(dataset) == 0:
            raise ValueError(
                f'no training images were found by {type(dataset).__name__} under '
                f'{getattr(dataset, "data_root", None)!r} (folders '
                f'{getattr(dataset, "data_prefix", None)}): pass --data-root, and '
                'see that the folders and file name suffixes are those of the data.'
            )

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Sequence[Any] | dict[str, Any] | None = None,
        outputs: dict[str, Any] | None = None,
    ) -> None:
        """Look at the losses of this iteration.

        Raises:
            FloatingPointError: If one is not finite, with its name.
        """
        wrong = [
            f'{name} = {float(value)}'
            for name, value in (outputs or {}).items()
            if 'loss' in name and not math.isfinite(value)
        ]
        if wrong:
            last = runner.message_hub.get_info('last_ckpt', None)
            raise FloatingPointError(
                f'iteration {runner.iter + 1}: {", ".join(wrong)}. Training stops '
                f'here; the last checkpoint is {last or "none yet"}. Lower the '
                'learning rate or the weight of the loss named first, or clip '
                'gradients (optim_wrapper.clip_grad).'
            )
