"""The memory layout in which convolutions are fastest."""

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmkd.registry import HOOKS


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Keep the weights of student and teacher channel by channel last.

    Convolutions pass the layout of their weights on to their output, so that
    nothing else has to change. Shapes, values up to rounding and checkpoints
    stay as they are; what is gained depends on the machine, and
    ``docs/results.md`` has what was measured.

    Source: PyTorch, "Channels Last Memory Format"
    (docs.pytorch.org/tutorials/intermediate/memory_format_tutorial.html).
    """

    def before_run(self, runner: Runner) -> None:
        """Convert the weights, before they are loaded or averaged.

        Args:
            runner: Its model may be in a data-parallel wrapper.
        """
        runner.model.to(memory_format=torch.channels_last)
