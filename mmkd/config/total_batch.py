"""Batch and learning rate belong together."""

from mmengine.config import Config
from mmengine.dist import get_world_size
from mmengine.runner import FlexibleRunner, Runner


def scale_learning_rate(cfg: Config) -> None:
    """Let MMEngine scale the learning rate to the batch of a run.

    Args:
        cfg: The config; changed in place.

    Raises:
        ValueError: If it does not name the total batch that its rate is meant for.
    """
    if not (cfg.get('auto_scale_lr') or {}).get('base_batch_size'):
        raise ValueError(
            f'--auto-scale-lr: {cfg.filename} does not say what batch its learning '
            'rate is meant for, all processes together. Add auto_scale_lr = '
            'dict(base_batch_size=...).'
        )
    cfg.auto_scale_lr.enable = True


def compare_total_batch(runner: Runner | FlexibleRunner, cfg: Config) -> None:
    """Say in one line if a run has another batch than its config is meant for.

    A run's batch is that of all processes, and of all iterations whose gradients
    the optimiser wrapper accumulates. MMEngine, which scales the learning rate where
    ``auto_scale_lr`` is enabled, counts the processes alone: here the rest too.

    Args:
        runner: Before its training.
        cfg: What it was built from.
    """
    base = (cfg.get('auto_scale_lr') or {}).get('base_batch_size')
    batch = (cfg.get('train_dataloader') or {}).get('batch_size')
    if not base or not batch:
        return
    steps = cfg.optim_wrapper.get('accumulative_counts', 1)
    processes = get_world_size()
    total = batch * processes * steps
    if total == base:
        return
    scaled = cfg.auto_scale_lr.get('enable', False)
    if scaled:
        flexible = isinstance(runner, FlexibleRunner)
        own = runner.strategy._auto_scale_lr if flexible else runner.auto_scale_lr
        own['base_batch_size'] = base / steps
    does = 'it is multiplied' if scaled else '--auto-scale-lr multiplies it'
    runner.logger.warning(
        f'The learning rate is meant for batches of {base} in all, and this run has '
        f'{total} (batch_size {batch}, processes {processes}, accumulated '
        f'iterations {steps}): {does} by {total / base:g}.'
    )
