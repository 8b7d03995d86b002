"""Check that a training resumes from its own checkpoint."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.config import Config
from mmengine.dist import get_world_size
from mmengine.hooks import EMAHook
from mmengine.runner import EpochBasedTrainLoop, Runner

from mmkd.checkpoints.identity import UNSET, differences, text_of, without
from mmkd.nearest import listed
from mmkd.resilience.runner_model import model_of
from mmkd.resilience.start_checks import size_of

BATCH = 'train_dataloader.batch_size x processes'
LENGTHS = ('train_cfg.max_epochs', 'train_cfg.max_iters')
"""The length of a training, which may change: learning rates do not depend on it."""
LATER = (
    'auto_scale_lr.base_batch_size',
    'custom_hooks.EMAHook',
    'data_preprocessor',
    'optim_wrapper',
    'task_weight',
    'train_dataloader.dataset',
    'train_dataloader.drop_last',
    'train_dataloader.sampler',
    'train_cfg.view_seed',
    'train_cfg.views',
)
"""Settings that new checkpoints always note and older ones do not."""
ELSEWHERE = ('accumulative_counts', 'constructor', 'optimizer', 'paramwise_cfg')
"""Settings of an optimiser wrapper that have notes of their own, or mmkd's values."""
HOW_READ = ('backend_args', 'file_client_args', 'keep_memory', '_scope_')
"""Settings that affect where or how fast a training runs, but not its numbers."""


def note_run(runner: Runner, meta: dict[str, Any]) -> None:
    """Describe the training in a checkpoint's ``meta``, as plain strings.

    Args:
        runner: The runner.
        meta: Gets ``identity``, for student, teacher and methods, and ``training``,
            for the settings that the schedule and its state depend on.
    """
    meta.update(identity=_identity(runner), training=_training(runner))


def check_same_run(runner: Runner, meta: Mapping[str, Any]) -> None:
    """Refuse to resume from the checkpoint of another training.

    The state of optimiser and schedule overrides the config, batches are skipped by
    their number, and weights that fit nowhere are dropped, all without a message.
    Checkpoints without notes are accepted. If only the length of the training has
    changed, a warning says how it continues.

    Args:
        runner: The runner that is about to resume.
        meta: The ``meta`` of the checkpoint.

    Raises:
        ValueError: If it is from another training, or beyond this one's end; the
            message has both values.
    """
    was, now = _notes(meta), _notes(_noted(runner))
    if not was:
        return
    for name in {*LATER} - was.keys():
        now.pop(name, None)
    pairs = {key: values for key, *values in differences(was, now)}
    lengths = {key: pairs.pop(key) for key in LENGTHS if key in pairs}
    if not pairs:
        _settle_length(runner, meta, lengths)
        return
    lines = [f'{key} was {a} and is {b}' for key, (a, b) in pairs.items()]
    raise ValueError(
        f'--resume: {runner._load_from} is from another training: '
        f'{listed(lines, 8, "; ")}. {_batch_advice(pairs)}'
        'Use the command that it was trained with. To start a different training '
        'from its weights, leave out --resume: '
        f'--cfg-options load_from={runner._load_from}'
    )


def _settle_length(
    runner: Runner, meta: Mapping[str, Any], lengths: Mapping[str, Sequence[Any]]
) -> None:
    """Tell how the training continues, or refuse to if it is too long already."""
    for key, (before, after) in lengths.items():
        if meta['iter'] > runner.max_iters:
            raise ValueError(
                f'--resume: {key} was {before} and is {after}, which is '
                f'{runner.max_iters} iterations, but {runner._load_from} has trained '
                f'{meta["iter"]}. Set it higher, or name an earlier checkpoint: '
                '--resume CKPT.'
            )
        runner.logger.warning(
            f'{key} was {before} and is {after}: the training continues up to there. '
            'param_scheduler does not change.'
        )


def _batch_advice(pairs: Mapping[str, Sequence[Any]]) -> str:
    before, processes = pairs.get(BATCH, [UNSET])[0], get_world_size()
    if not isinstance(before, int) or before % processes:
        return ''
    return (
        f'The same total batch size with {processes} processes is '
        f'train_dataloader.batch_size={before // processes}. '
    )


def _noted(runner: Runner) -> dict[str, Any]:
    meta: dict[str, Any] = {}
    note_run(runner, meta)
    return meta


def _identity(runner: Runner) -> dict[str, str]:
    """Student, teacher and methods of a training, each as one string to compare."""
    model = model_of(runner)
    config = runner.cfg.get('model') or type(model).__name__
    alone = dict(student=text_of(config), teacher='', methods='')
    return dict(getattr(model, 'identity', alone))


def _training(runner: Runner) -> dict[str, str]:
    loader, loop = runner.train_dataloader, runner.train_loop
    size = loader.batch_size or getattr(loader.batch_sampler, 'batch_size', None)
    numbers = {
        BATCH: size and size * get_world_size(),
        'train_dataloader.dataset: samples': size_of(loader.dataset),
        'optim_wrapper.accumulative_counts': getattr(
            runner.optim_wrapper, '_accumulative_counts', None
        ),
    }
    numbers['train_dataloader.drop_last'] = loader.drop_last
    unit = 'max_epochs' if isinstance(loop, EpochBasedTrainLoop) else 'max_iters'
    numbers[f'train_cfg.{unit}'] = getattr(loop, unit, None)
    wrapper = runner.cfg.get('optim_wrapper') or {}
    texts = {
        'optim_wrapper.optimizer': wrapper.get('optimizer'),
        'optim_wrapper.paramwise_cfg': wrapper.get('paramwise_cfg'),
        'param_scheduler': runner.cfg.get('param_scheduler'),
        'custom_hooks.EMAHook': _averages(runner),
    }
    return {
        **{name: str(value) for name, value in numbers.items() if value is not None},
        **{name: text_of(value) for name, value in texts.items() if value is not None},
        **{name: text_of(value) for name, value in _noted_always(runner.cfg).items()},
    }


def _averages(runner: Runner) -> list[dict[str, Any]]:
    """The averages whose weights a checkpoint holds in place of the trained ones."""
    return [
        dict(hook.ema_cfg, begin_iter=hook.begin_iter, begin_epoch=hook.begin_epoch)
        for hook in runner.hooks
        if isinstance(hook, EMAHook)
    ]


def _noted_always(cfg: Config) -> dict[str, Any]:
    """Settings that are noted as None if a config does not have them."""
    scaled = cfg.get('auto_scale_lr') or {}
    loader, loop = cfg.get('train_dataloader') or {}, cfg.get('train_cfg') or {}
    dataset = _pipelines(loader.get('dataset'))
    wrapper = {'type': 'OptimWrapper', **(cfg.get('optim_wrapper') or {})}
    model = cfg.get('model')
    own = model.get('data_preprocessor') if isinstance(model, Mapping) else None
    return {
        'optim_wrapper': without(wrapper, (*ELSEWHERE, *HOW_READ)),
        'train_dataloader.dataset': without(dataset, HOW_READ),
        'train_dataloader.sampler': loader.get('sampler'),
        # The Runner takes it only for a model without its own.
        'data_preprocessor': (
            None if own else without(cfg.get('data_preprocessor'), HOW_READ)
        ),
        'train_cfg.views': loop.get('views'),
        'train_cfg.view_seed': loop.get('view_seed'),
        'auto_scale_lr.base_batch_size': (
            scaled.get('base_batch_size') if scaled.get('enable') else None
        ),
    }


def _pipelines(dataset: Any) -> Any:
    """The pipelines of a data set and of those that it wraps, in their places."""
    if isinstance(dataset, Sequence) and not isinstance(dataset, str):
        return [_pipelines(each) for each in dataset]
    if not isinstance(dataset, Mapping):
        return None
    found = {k: _pipelines(dataset[k]) for k in ('dataset', 'datasets') if k in dataset}
    return {'pipeline': dataset.get('pipeline'), **found}


def _notes(meta: Mapping[str, Any]) -> dict[str, Any]:
    """The noted settings by name."""
    found = {}
    for part in ('identity', 'training'):
        notes = meta.get(part)
        for name, text in notes.items() if isinstance(notes, Mapping) else ():
            try:
                found[name] = json.loads(text)
            except ValueError:
                found[name] = text
    return found
