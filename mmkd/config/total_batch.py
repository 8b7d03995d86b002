"""Keep the learning rate consistent with the total batch size."""

from mmengine.config import Config
from mmengine.dist import get_world_size
from mmengine.runner import FlexibleRunner, Runner


def scale_learning_rate(cfg: Config) -> None:
    """Enable MMEngine's scaling of the learning rate with the batch size.

    Args:
        cfg: The config; changed in place.

    Raises:
        ValueError: If it does not state the total batch size for its learning rate.
    """
    if not (cfg.get('auto_scale_lr') or {}).get('base_batch_size'):
        raise ValueError(
            f'--auto-scale-lr: {cfg.filename} does not say which total batch size its '
            'learning rate is meant for. Add auto_scale_lr = '
            'dict(base_batch_size=...).'
        )
    cfg.auto_scale_lr.enable = True


def compare_total_batch(runner: Runner | FlexibleRunner, cfg: Config) -> None:
    """Warn if the total batch size of a run differs from that of its config.

    The total batch size covers all processes, and all iterations whose gradients the
    optimiser wrapper accumulates. MMEngine, which scales the learning rate if
    ``auto_scale_lr`` is enabled, counts only processes; this corrects its base.

    Args:
        runner: The runner, before training.
        cfg: The config that it was built from.
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
        f'The learning rate is meant for a total batch size of {base}, this run has '
        f'{total} (batch_size {batch}, processes {processes}, accumulated '
        f'iterations {steps}): {does} by {total / base:g}.'
    )
