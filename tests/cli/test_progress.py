"""A terminal shows how far a training is."""

import re
from collections import OrderedDict
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
import torch
from mmengine.logging import MMLogger
from mmengine.runner import Runner
from rich.console import Console
from tiny_models import Noise
from tiny_trainings import distiller, runner_of, tiny

from mmkd.cli import progress
from mmkd.cli.console import console_handlers
from mmkd.cli.progress import losses_text, progress_bar

__all__ = ['distiller', 'runner_of', 'tiny']


@pytest.fixture(autouse=True)
def own_loggers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Later log records must not go to this test's console."""
    monkeypatch.setattr(MMLogger, '_instance_dict', OrderedDict())


def test_a_bar_shows_losses_and_the_best_score(
    tiny: Any,
    distiller: Any,
    runner_of: Callable[..., Runner],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every step; log lines of single steps go only to the log file."""
    monkeypatch.setattr(progress, 'SECONDS', -1)
    loader = dict(
        batch_size=4,
        dataset=Noise(tiny.batch('images', count=8)),
        sampler=dict(type='DefaultSampler', shuffle=False),
        collate_fn=dict(type='pseudo_collate'),
    )
    runner = runner_of(
        distiller,
        default_hooks=dict(logger=dict(type='LoggerHook', interval=1)),
        log_level='INFO',
        val_dataloader=loader,
        val_cfg={},
        val_evaluator=dict(type='mmpretrain.Accuracy'),
    )
    before = [(h.stream, list(h.filters)) for h in console_handlers(runner.logger)]
    screen = StringIO()
    with progress_bar(runner, Console(file=screen, force_terminal=True, width=160)):
        runner.train()
    after = [(h.stream, list(h.filters)) for h in console_handlers(runner.logger)]
    assert after == before

    shown = re.sub(r'\x1b\[[^A-Za-z]*[A-Za-z]', '', screen.getvalue())
    for count in range(1, 5):
        assert f'{count}/4' in shown
    assert re.search(r'loss [\d.]+ task_loss [\d.]+ dual_head [\d.]+ kd [\d.]+', shown)
    assert 'validation' in shown
    assert 'Epoch(train)' not in shown
    scores = re.findall(r'accuracy/top1 ([\d.]+), best ([\d.]+)', shown)
    assert scores
    assert all(float(best) >= float(score) for score, best in scores)


def test_no_bar_where_there_is_no_terminal(
    distiller: Any, runner_of: Callable[..., Runner], capsys: pytest.CaptureFixture[str]
) -> None:
    runner = runner_of(distiller)
    hooks = list(runner.hooks)
    with progress_bar(runner):
        assert runner.hooks == hooks
        runner.train()
    assert '━' not in capsys.readouterr().out


def test_losses_in_a_few_words() -> None:
    outputs = {
        'loss': torch.tensor(2.34567),
        'task_loss': torch.tensor(1.5),
        'decode.acc_seg': torch.tensor(50.0),
        'distill.kd.loss': torch.tensor(0.25),
        'distill.multi_head.stage1.kd': torch.tensor(3e-5),
    }
    assert losses_text(outputs) == (
        'loss 2.35 task_loss 1.5 kd 0.25 multi_head.stage1.kd 3e-05'
    )
