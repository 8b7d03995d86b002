"""Checkpoints between two updates lead to the same end."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner
from tiny_models import Noise, Tiny
from torch import Tensor
from two_processes import in_two_processes

from mmkd.checkpoints.loading import safe_load
from mmkd.resilience import protect

SGD = dict(type='SGD', lr=0.1, momentum=0.9)
THREE = dict(optimizer=SGD, accumulative_counts=3)


class Stop(Hook):
    """Send SIGTERM after an iteration of training or validation."""

    priority = 'HIGHEST'

    def __init__(self, iteration: int, mode: str = 'train') -> None:
        self.iteration, self.mode = iteration, mode

    def _after_iter(self, runner: Runner, *args: Any, **kwargs: Any) -> None:
        mode = kwargs.get('mode', args[-1] if args else None)
        done = runner.iter + (mode == 'train')
        if (mode, done) == (self.mode, self.iteration):
            os.kill(os.getpid(), signal.SIGTERM)


def end(runner: Runner, *hooks: Hook) -> dict[str, Tensor]:
    for hook in hooks:
        runner.register_hook(hook)
    runner.train()
    return {name: value.clone() for name, value in runner.model.state_dict().items()}


def assert_same(first: dict[str, Tensor], second: dict[str, Tensor]) -> None:
    for name, value in first.items():
        assert torch.equal(value, second[name]), name


@pytest.mark.parametrize('mode', ['train', 'val'])
def test_sigterm(
    mode: str, trainer: Callable[..., Runner], validation: dict[str, Any]
) -> None:
    cfg = dict(by_epoch=False, max_iters=11, val_interval=2)
    kind = dict(optim_wrapper=THREE, train_cfg=cfg, **validation)
    whole = end(trainer('whole', **kind))
    with pytest.raises(SystemExit):
        end(trainer(**kind), Stop(4, mode))
    runner = trainer(**kind, resume=True)
    folder = Path(runner.work_dir)
    assert {path.name for path in folder.glob('*.pth')} == {'iter_2.pth', 'iter_4.pth'}
    assert_same(end(runner), whole)


def test_epochs_that_end_between_updates(trainer: Callable[..., Runner]) -> None:
    """Epochs of four batches: the first checkpoint is one batch after an update."""
    kind = dict(by_epoch=True, checkpoint=dict(interval=1), optim_wrapper=THREE)
    whole = end(trainer('whole', length=3, **kind))
    runner = trainer(length=3, **kind)
    end(runner)
    folder = Path(runner.work_dir)
    held = [
        'gradients' in safe_load(folder / f'epoch_{number}.pth') for number in (1, 2, 3)
    ]
    assert held == [True, True, False]
    for number in (2, 3):
        (folder / f'epoch_{number}.pth').unlink()
    runner = trainer(length=3, resume=True, log_level='WARNING', **kind)
    assert_same(end(runner), whole)
    (log,) = folder.glob(f'{runner.timestamp}/*.log')
    assert 'is lost' not in log.read_text()


def distillation(tiny: Tiny, name: str, aligned: bool, **settings: Any) -> Runner:
    """Three epochs of two iterations, with an update every three iterations."""
    hooks = dict(checkpoint=dict(interval=1))
    cfg = Config(
        dict(train_cfg=dict(by_epoch=True, max_epochs=3), default_hooks=hooks)
    )
    protect(cfg)
    method = dict(type='DualHead', gradient_alignment=aligned)
    model = tiny.distiller('images', dict(dual_head=method))
    wrapper = dict(THREE, constructor='mmkd.DistillOptimWrapperConstructor')
    return tiny.runner(
        model,
        name=name,
        train_cfg=cfg.train_cfg,
        default_hooks=cfg.default_hooks,
        optim_wrapper=wrapper,
        **settings,
    )


def test_both_gradients_of_an_alignment_are_kept(tiny: Tiny) -> None:
    whole = end(distillation(tiny, 'whole', True))
    first = str(tiny.folder / 'whole' / 'epoch_1.pth')
    saved = safe_load(first)['gradients']['backbone.conv1.weight']
    assert all(gradient.abs().sum() > 0 for gradient in saved)
    again = distillation(tiny, 'again', True, resume=True, load_from=first)
    assert_same(end(again), whole)


@pytest.mark.parametrize('aligned', [False, True])
def test_two_processes_continue_from_their_mean(aligned: bool, tmp_path: Path) -> None:
    """Each has gradients of its own, and one of them saves."""
    parallel = Config(dict(model_wrapper_cfg=dict(type='mmkd.AnyDeviceDataParallel')))
    kind: Any = dict(aligned=aligned, launcher='pytorch', cfg=parallel)

    def train(rank: int) -> tuple[Any, Any]:
        tiny = Tiny(tmp_path)
        loader = dict(
            batch_size=2,
            num_workers=0,
            dataset=Noise(tiny.batch('images', count=8)),
            sampler=dict(type='DefaultSampler', shuffle=True),
            collate_fn=dict(type='pseudo_collate'),
        )
        first = str(tmp_path / 'whole' / 'epoch_1.pth')
        ends = [
            end(distillation(tiny, name, train_dataloader=dict(loader), **kind, **more))
            for name, more in dict(
                whole={}, again=dict(resume=True, load_from=first)
            ).items()
        ]
        return tuple({k: v.numpy() for k, v in found.items()} for found in ends)

    (whole, again), _ = in_two_processes(train, tmp_path)
    assert (tmp_path / 'whole' / 'epoch_1.pth').is_file()
    for name, value in whole.items():
        np.testing.assert_allclose(again[name], value, rtol=1e-5, atol=1e-6)
