import errno
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.fileio import LocalBackend
from mmengine.hooks import Hook
from mmengine.optim.optimizer import amp_optimizer_wrapper
from mmengine.runner import Runner

from mmkd.checkpoints.loading import check_whole, safe_load
from mmkd.resilience import checkpoint_hook as module

Trainer = Callable[..., Runner]
VALIDATED = dict(by_epoch=False, max_iters=8, val_interval=2)


def names(runner: Runner) -> list[str]:
    return sorted(path.name for path in Path(runner.work_dir).glob('*.pth*'))


def test_the_new_one_is_whole_before_the_old_one_goes(
    trainer: Trainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = trainer(checkpoint=dict(max_keep_ckpts=1))
    folder, removed = Path(runner.work_dir), []

    def remove(path: Path) -> None:
        noted = Path((folder / 'last_checkpoint').read_text())
        check_whole(noted)
        assert path.exists()
        removed.append((path.name, noted.name))
        path.unlink()

    monkeypatch.setattr(module, 'remove', remove)
    runner.train()
    assert removed == [
        ('iter_2.pth', 'iter_4.pth'),
        ('iter_4.pth', 'iter_6.pth'),
        ('iter_6.pth', 'iter_8.pth'),
    ]
    assert names(runner) == ['iter_8.pth']


def test_the_best_one_too(
    trainer: Trainer, validation: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = dict(max_keep_ckpts=1, save_best='acc', rule='less')
    runner = trainer(checkpoint=hook, train_cfg=VALIDATED, **validation)
    folder, removed = Path(runner.work_dir), []

    def remove(path: Path) -> None:
        if path.name.startswith('best'):
            last = safe_load((folder / 'last_checkpoint').read_text())
            best = Path(last['message_hub']['runtime_info']['best_ckpt'])
            check_whole(best)
            assert best != path
            removed.append(path.name)
        path.unlink()

    monkeypatch.setattr(module, 'remove', remove)
    runner.train()
    scores = runner.message_hub.get_scalar('val/acc').data[0]
    best = 2 * (scores.argmin() + 1)
    assert names(runner) == [f'best_acc_iter_{best}.pth', 'iter_8.pth']
    assert len(removed) == len({min(scores[: n + 1]) for n in range(4)}) - 1 > 0


def test_a_surplus_one_is_removed_on_resuming(trainer: Trainer) -> None:
    """The process was killed after saving the new one, before removing the old one."""
    keep = dict(max_keep_ckpts=1)
    runner = trainer(checkpoint=keep, length=4)
    folder = Path(runner.work_dir)
    runner.train()
    surplus, half = folder / 'iter_2.pth', folder / 'iter_6.pth.partial'
    for path in (surplus, half):
        path.write_bytes(b'')
    runner = trainer(checkpoint=keep, resume=True, length=6)
    runner.train()
    assert names(runner) == ['iter_6.pth']


def write_half(self: LocalBackend, content: bytes, path: str) -> None:
    Path(path).write_bytes(content[: len(content) // 2])
    raise OSError(errno.ENOSPC, 'No space left on device')


class FullDisk(Hook):
    """The disk is full from iteration 4 on."""

    def __init__(self, fill: Callable[[], None]) -> None:
        self.fill = fill

    def before_train_iter(self, runner: Runner, *_: Any, **__: Any) -> None:
        if runner.iter == 3:
            self.fill()


@pytest.mark.parametrize('kind', ['disk', 'system'])
def test_a_full_disk(
    kind: str, trainer: Trainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill() -> None:
        if kind == 'disk':
            monkeypatch.setattr(LocalBackend, 'put', write_half)
        else:
            resource.setrlimit(resource.RLIMIT_FSIZE, (5000, hard))

    runner = trainer(checkpoint=dict(max_keep_ckpts=1))
    runner.register_hook(FullDisk(fill))
    whole = Path(runner.work_dir, 'iter_2.pth')
    why = 'No space left' if kind == 'disk' else 'File too large'
    try:
        with pytest.raises(OSError, match=rf'{why}.* checkpoint is {whole}\. .*iter_4'):
            runner.train()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert names(runner) == ['iter_2.pth']
    check_whole(whole)
    monkeypatch.undo()
    trainer(checkpoint=dict(max_keep_ckpts=1), resume=True).train()
    assert names(runner) == ['iter_8.pth']


def test_the_scaler_goes_on(trainer: Trainer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its scale, and the steps until it grows."""
    monkeypatch.setattr(
        amp_optimizer_wrapper,
        'GradScaler',
        lambda **kwargs: torch.amp.GradScaler('cpu', init_scale=8.0, growth_interval=3),
    )
    wrapper = dict(
        type='AmpOptimWrapper', optimizer=dict(type='SGD', lr=0.1), dtype='bfloat16'
    )
    whole = trainer('whole', optim_wrapper=wrapper)
    whole.train()
    trainer(optim_wrapper=wrapper, length=4).train()
    runner = trainer(optim_wrapper=wrapper, resume=True)
    runner.train()
    ends = [run.optim_wrapper.loss_scaler.state_dict() for run in (whole, runner)]
    assert ends[0] == ends[1]
    assert ends[0]['scale'] == 32
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, runner.model.state_dict()[name])


def test_a_checkpoint_says_what_it_is_of(
    trainer: Trainer, distiller: Any, runner_of: Callable[..., Runner]
) -> None:
    runner = trainer(length=2)
    runner.train()
    saved = safe_load(Path(runner.work_dir, 'iter_2.pth'))
    assert saved['meta']['identity'] == dict(student='"Net"', teacher='', methods='')
    hooks = dict(checkpoint=dict(type='mmkd.AtomicCheckpointHook'))
    runner = runner_of(distiller, 'taught', default_hooks=hooks)
    runner.train()
    saved = safe_load(Path(runner.work_dir, 'epoch_2.pth'))
    assert saved['meta']['identity'] == distiller.identity
    assert 'DualHead' in distiller.identity['methods']


def test_a_name_of_a_number_with_a_width_takes_words_too() -> None:
    """The names if SIGTERM stops a training by epochs within an epoch."""
    hook = module.AtomicCheckpointHook(by_epoch=True, filename_tmpl='ep_{:03d}.pth')
    assert hook.filename_tmpl.format(7) == 'ep_007.pth'
    assert hook.filename_tmpl.format('6_iter_40') == 'ep_6_iter_40.pth'
