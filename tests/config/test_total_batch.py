import logging
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from mmengine.config import Config
from mmengine.runner import FlexibleRunner, Runner
from tiny_models import tiny

from mmkd.cli.training import merged_config, parse_args
from mmkd.config import total_batch
from mmkd.config.total_batch import compare_total_batch, scale_learning_rate

__all__ = ['tiny']

BATCH, RATE = 4, 0.1


def config(base: int | None = 32, steps: int = 1) -> Config:
    cfg: dict[str, Any] = dict(
        train_dataloader=dict(batch_size=BATCH),
        optim_wrapper=dict(
            type='OptimWrapper',
            optimizer=dict(type='SGD', lr=RATE),
            accumulative_counts=steps,
        ),
    )
    if base is not None:
        cfg['auto_scale_lr'] = dict(base_batch_size=base)
    return Config(cfg)


def trained(
    tiny: Any, cfg: Config, caplog: pytest.LogCaptureFixture, kind: Any = Runner
) -> tuple[float, list[str]]:
    """The learning rate that a run trains with, and its warnings on the batch size."""
    given = cfg.to_dict()
    del given['train_dataloader']
    runner = tiny.runner(tiny.plain('images'), kind=kind, **given)
    runner.logger.addHandler(caplog.handler)
    with caplog.at_level(logging.WARNING, runner.logger.name):
        compare_total_batch(runner, cfg)
        runner.train()
    said = [r.getMessage() for r in caplog.records if 'meant for' in r.getMessage()]
    return runner.optim_wrapper.get_lr()['lr'][0], said


@pytest.mark.parametrize('kind', [Runner, FlexibleRunner])
@pytest.mark.parametrize('steps', [1, 2])
def test_the_rate_follows_the_whole_batch(
    tiny: Any, caplog: pytest.LogCaptureFixture, kind: Any, steps: int
) -> None:
    cfg = config(steps=steps)
    scale_learning_rate(cfg)
    rate, said = trained(tiny, cfg, caplog, kind)
    assert rate == pytest.approx(RATE * BATCH * steps / 32)
    [line] = said
    assert f'total batch size of 32, this run has {4 * steps} ' in line
    assert f'it is multiplied by {BATCH * steps / 32:g}.' in line


def test_another_batch_is_said_and_changes_nothing(
    tiny: Any, caplog: pytest.LogCaptureFixture
) -> None:
    rate, [line] = trained(tiny, config(), caplog)
    assert rate == RATE
    assert '--auto-scale-lr multiplies it by 0.125' in line


@pytest.mark.parametrize('base', [BATCH, None])
def test_nothing_is_said_where_nothing_differs(
    tiny: Any, caplog: pytest.LogCaptureFixture, base: int | None
) -> None:
    assert trained(tiny, config(base), caplog) == (RATE, [])


def test_processes_and_accumulated_iterations_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(total_batch, 'get_world_size', lambda: 4)
    runner = mock.Mock()
    compare_total_batch(runner, config(steps=2))
    assert runner.method_calls == []
    compare_total_batch(runner, config())
    assert 'has 16 (batch_size 4, processes 4' in runner.logger.warning.call_args[0][0]


def test_a_config_without_a_batch_cannot_be_scaled(tmp_path: Path) -> None:
    (tmp_path / 'own.py').write_text('train_cfg = dict(max_epochs=1)')
    with pytest.raises(ValueError, match=r'--auto-scale-lr: .*own\.py does not say'):
        scale_learning_rate(Config.fromfile(tmp_path / 'own.py'))


def test_the_tool_takes_the_option(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv('LOCAL_RANK', raising=False)
    cfg = merged_config(parse_args(['resnet20_resnet8_tin100', '--auto-scale-lr']))
    assert cfg.auto_scale_lr == dict(base_batch_size=64, enable=True)
