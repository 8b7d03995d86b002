"""The same buffers in all processes."""

from mmengine.dist import broadcast, is_distributed
from mmengine.hooks import EMAHook
from mmengine.runner import Runner


def share_buffers(runner: Runner) -> None:
    """Broadcast rank 0's buffers, such as BatchNorm statistics, to all processes.

    Each process collects statistics over its own share of the images, and those of
    rank 0 are saved. This way the validated model is the saved one, also for an
    average (EMA). All processes must call it.
    """
    if not is_distributed():
        return
    averages = [hook.ema_model for hook in runner.hooks if isinstance(hook, EMAHook)]
    for model in (runner.model, *averages):
        for buffer in model.buffers():
            broadcast(buffer)
