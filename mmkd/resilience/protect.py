"""Changes to the config of any training that make it resumable and reproducible."""

from mmengine.config import Config

from mmkd.checks.places import hooks_of, short_name

RESUMABLE = {
    'IterBasedTrainLoop': 'mmkd.ResumableIterLoop',
    'EpochBasedTrainLoop': 'mmkd.ResumableEpochLoop',
}
"""Training loops and their exactly resumable variants."""

BY_ITERATIONS = ('IterBasedTrainLoop', 'ResumableIterLoop')
"""Loops without epochs: MMEngine's default would log every score as that of epoch 0."""


def protect(cfg: Config) -> None:
    """Make sure that a training loses nothing when it is interrupted.

    mmkd's variants replace MMEngine's training loops, checkpoint hook and early
    stopping, with the same settings; others stay as they are. A guard stops a
    training that cannot succeed, and names files that cannot be read.

    Args:
        cfg: The config of any training, also a plain one of MMSegmentation or
            MMPretrain; changed in place.
    """
    loop = cfg.get('train_cfg')
    if loop is not None and 'by_epoch' in loop:
        by_epoch = loop.pop('by_epoch')
        loop['type'] = f'{"Epoch" if by_epoch else "Iter"}BasedTrainLoop'
    if loop is not None and loop.get('type') in RESUMABLE:
        loop['type'] = RESUMABLE[loop['type']]
    if cfg.get('default_hooks') is None:
        cfg.default_hooks = {}
    if 'checkpoint' not in cfg.default_hooks:
        cfg.default_hooks.checkpoint = dict(interval=1)
    cfg.default_hooks.setdefault('guard', dict(type='mmkd.TrainingGuardHook'))
    if loop is not None and short_name(loop) in BY_ITERATIONS:
        if 'logger' not in cfg.default_hooks:
            cfg.default_hooks.logger = dict(type='LoggerHook')
        logger = cfg.default_hooks.logger
        if isinstance(logger, dict) and short_name(logger) in ('LoggerHook', ''):
            logger.setdefault('log_metric_by_epoch', False)
    hook = cfg.default_hooks.checkpoint
    if hook is not None and hook.get('type', 'CheckpointHook') == 'CheckpointHook':
        hook['type'] = 'mmkd.AtomicCheckpointHook'
    for hook in hooks_of(cfg).values():
        if isinstance(hook, dict) and hook.get('type') == 'EarlyStoppingHook':
            hook['type'] = 'mmkd.ResumableEarlyStoppingHook'
