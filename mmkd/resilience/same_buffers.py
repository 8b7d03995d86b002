"""One state of the buffers in all processes."""

from mmengine.dist import broadcast, is_distributed
from mmengine.hooks import EMAHook
from mmengine.runner import Runner


def share_buffers(runner: Runner) -> None:
    """Give every process the first one's buffers, BatchNorm's statistics above all.

    Each process gathers those of its own share of the images, and the first one's
    are saved. What is validated is then what is saved, of an average (EMA) too. All
    processes must call it.
    """
    if not is_distributed():
        return
    averages = [hook.ema_model for hook in runner.hooks if isinstance(hook, EMAHook)]
    for model in (runner.model, *averages):
        for buffer in model.buffers():
            broadcast(buffer)
