import os
import signal
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.hooks import Hook
from mmengine.registry import DATA_SAMPLERS
from mmengine.runner import Runner
from torch import Tensor
from torch.utils.data import RandomSampler, Sampler

from mmkd.checkpoints.loading import safe_load

Trainer = Callable[..., Runner]
Settings = dict[str, Any]


class CrashError(Exception):
    """Interrupts a training."""


class At(Hook):
    """Do something after an iteration of training or validation."""

    priority = 'HIGHEST'

    def __init__(
        self, iteration: int, action: Callable[[], None], mode: str = 'train'
    ) -> None:
        self.iteration, self.action, self.mode = iteration, action, mode

    def after_train_iter(self, runner: Runner, *_: Any, **__: Any) -> None:
        if self.mode == 'train' and runner.iter + 1 == self.iteration:
            self.action()

    def after_val_iter(self, runner: Runner, *_: Any, **__: Any) -> None:
        if self.mode == 'val' and runner.iter == self.iteration:
            self.action()


@DATA_SAMPLERS.register_module()
class Shuffled(RandomSampler):
    """Draws an epoch's order at once, from the global generator."""

    def __init__(self, dataset: Any, seed: int) -> None:
        super().__init__(dataset)


@DATA_SAMPLERS.register_module()
class OneByOne(Sampler):
    """Draws each sample by itself, from the global generator of NumPy."""

    def __init__(self, dataset: Any, seed: int) -> None:
        self.size = len(dataset)

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[int]:
        return (np.random.randint(self.size) for _ in range(self.size))


def crash() -> None:
    raise CrashError


def terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def weights(runner: Runner) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in runner.model.state_dict().items()}


def train(runner: Runner, *hooks: Hook) -> dict[str, Tensor]:
    for hook in hooks:
        runner.register_hook(hook)
    runner.train()
    return weights(runner)


def assert_same(first: dict[str, Tensor], second: dict[str, Tensor]) -> None:
    for name, value in first.items():
        assert torch.equal(value, second[name]), name


@pytest.mark.parametrize(
    ('sampler', 'workers'), list(product(['DefaultSampler', 'InfiniteSampler'], [0, 2]))
)
def test_iterations_after_a_crash(sampler: str, workers: int, trainer: Trainer) -> None:
    kind = dict(sampler=sampler, workers=workers, length=11)
    whole = train(trainer('whole', sampler=sampler, length=11))
    with pytest.raises(CrashError):
        train(trainer(**kind), At(5, crash))
    with pytest.raises(CrashError):
        train(trainer(**kind, resume=True), At(9, crash))
    runner = trainer(**kind, resume=True)
    assert_same(train(runner), whole)
    assert sorted(path.name for path in Path(runner.work_dir).glob('iter_9*')) == []


@pytest.mark.parametrize('workers', [0, 2])
@pytest.mark.parametrize('by_iteration', [False, True])
def test_epochs_after_a_crash(
    by_iteration: bool, workers: int, trainer: Trainer
) -> None:
    """Also in the middle of an epoch of four batches, the last one smaller."""
    hook = dict(by_epoch=not by_iteration, interval=3 if by_iteration else 1)
    schedule = dict(type='MultiStepLR', by_epoch=True, milestones=[1, 2], gamma=0.5)
    kind = dict(by_epoch=True, length=3, checkpoint=hook, param_scheduler=schedule)
    whole = train(trainer('whole', **kind))
    with pytest.raises(CrashError):
        train(trainer(**kind, workers=workers), At(8, crash))
    runner = trainer(**kind, workers=workers, resume=True)
    assert_same(train(runner), whole)
    assert (runner.epoch, runner.iter) == (3, 12)


@pytest.mark.parametrize(
    ('sampler', 'by_epoch'), list(product(['Shuffled', 'OneByOne'], [False, True]))
)
def test_the_order_of_a_sampler_without_a_seed(
    sampler: str, by_epoch: bool, trainer: Trainer
) -> None:
    hook = dict(by_epoch=False, interval=2)
    length = 3 if by_epoch else 12
    kind = dict(sampler=sampler, by_epoch=by_epoch, length=length, checkpoint=hook)
    whole = train(trainer('whole', **kind))
    with pytest.raises(CrashError):
        train(trainer(**kind), At(7, crash))
    assert_same(train(trainer(**kind, workers=2, resume=True)), whole)


def test_after_damage_the_one_before_leads_to_the_same_end(trainer: Trainer) -> None:
    whole = train(trainer('whole'))
    runner = trainer(length=4)
    train(runner)
    newest = Path(runner.work_dir, 'iter_4.pth')
    newest.write_bytes(newest.read_bytes()[:-2000])
    runner = trainer(resume=True)
    place: list[int] = []
    assert_same(train(runner, At(3, lambda: place.append(runner.iter))), whole)
    assert place == [2]


def test_nothing_is_read_again(trainer: Trainer) -> None:
    with pytest.raises(CrashError):
        train(trainer(), At(5, crash))
    runner = trainer(resume=True)
    train(runner)
    assert runner.train_dataloader.dataset.read == 3 + 3 + 3 + 2


def test_without_a_seed(trainer: Trainer) -> None:
    """Each start draws a different one; a resumed run keeps its first."""
    with pytest.raises(CrashError):
        train(trainer(randomness=dict(seed=None)), At(5, crash))
    before = safe_load(Path(trainer(randomness=dict(seed=None)).work_dir, 'iter_4.pth'))
    runners = [trainer(randomness=dict(seed=None), resume=True) for _ in range(2)]
    first, second = map(train, runners)
    assert_same(first, second)
    assert runners[0].seed == runners[1].seed == before['meta']['seed']


def test_batches_of_two_processes_are_those_of_one(
    trainer: Trainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Including their random numbers."""

    def batches(size: int, rank: int, processes: int) -> list[Tensor]:
        for module in ('mmkd.resilience.numbered_batches', 'mmengine.dataset.sampler'):
            monkeypatch.setattr(f'{module}.get_dist_info', lambda: (rank, processes))
        loader = dict(
            batch_size=size,
            num_workers=0,
            dataset={},
            sampler=dict(type='DefaultSampler'),
        )
        runner = trainer(train_dataloader=loader)
        loop = runner.train_loop
        found = loop._from(0)
        return [torch.stack(next(found)['inputs']) for _ in range(2)]

    one = batches(4, 0, 1)
    two = batches(2, 0, 2), batches(2, 1, 2)
    for both, first, second in zip(one, *two, strict=True):
        assert torch.equal(both[0::2], first)
        assert torch.equal(both[1::2], second)


def test_validation_changes_nothing(trainer: Trainer, validation: Settings) -> None:
    cfg = dict(by_epoch=False, max_iters=8, val_interval=2)
    validated = trainer('validated', train_cfg=cfg, **validation)
    assert_same(train(validated), train(trainer()))


@pytest.mark.parametrize('by_epoch', [False, True])
def test_a_validation_is_made_up_for(
    by_epoch: bool, trainer: Trainer, validation: Settings
) -> None:
    unit = 'max_epochs' if by_epoch else 'max_iters'
    kind = dict(
        by_epoch=by_epoch,
        train_cfg={'by_epoch': by_epoch, unit: 4, 'val_interval': 2},
        checkpoint=dict(save_best='acc', rule='less'),
        **validation,
    )
    whole = trainer('whole', **kind)
    train(whole)
    at = 8 if by_epoch else 2
    with pytest.raises(CrashError):
        train(trainer(**kind), At(at, crash, 'val'))
    runner = trainer(**kind, resume=True)
    train(runner)

    def scores(runner: Runner) -> np.ndarray:
        return runner.message_hub.get_scalar('val/acc').data[0]

    assert len(scores(runner)) == len(scores(whole)) == 2
    assert runner.message_hub.get_info('best_score') == scores(runner).min()
    # When it resumes once more, nothing is left to do.
    again = trainer(**kind, resume=True)
    train(again)
    assert len(scores(again)) <= 3


def test_processes_at_different_places(
    trainer: Trainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = trainer()
    monkeypatch.setattr(
        'mmkd.resilience.loops.all_gather', lambda value: [value, value + 4]
    )
    with pytest.raises(RuntimeError, match=r'different iterations: \[0, 4\]'):
        train(runner)


@pytest.mark.parametrize('by_epoch', [False, True])
@pytest.mark.parametrize('mode', ['train', 'val'])
def test_sigterm(
    mode: str, by_epoch: bool, trainer: Trainer, validation: Settings
) -> None:
    """Stops at once, also in the middle of an epoch or a validation."""
    unit = 'max_epochs' if by_epoch else 'max_iters'
    length = 3 if by_epoch else 11
    kind = dict(
        by_epoch=by_epoch,
        train_cfg={'by_epoch': by_epoch, unit: length, 'val_interval': 1},
        checkpoint=dict(interval=100, max_keep_ckpts=1),
        custom_hooks=[dict(type='EMAHook', momentum=0.2)],
        **validation,
    )
    whole = trainer('whole', **kind)
    expected = train(whole)
    former = signal.getsignal(signal.SIGTERM)
    at = 4 if mode == 'val' else 6
    with pytest.raises(SystemExit) as stop:
        train(trainer(**kind), At(at, terminate, mode))
    assert stop.value.code == 0
    assert signal.getsignal(signal.SIGTERM) is former
    runner = trainer(**kind, resume=True)
    place = []
    runner.register_hook(At(at + 1, lambda: place.append(runner.iter)))
    assert_same(train(runner), expected)
    assert place == [at]
    (last,) = Path(runner.work_dir).glob('*_*.pth')
    assert last.name == ('epoch_3.pth' if by_epoch else 'iter_11.pth')
    names = ('state_dict', 'ema_state_dict')
    ends = [safe_load(Path(r.work_dir, last.name)) for r in (whole, runner)]
    for name in names:
        assert_same(ends[0][name], ends[1][name])
