"""MMEngine's visualisers get what mmkd logs; tested with TensorBoard."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mmengine.hooks import LoggerHook
from mmengine.runner import Runner
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tiny_trainings import distiller, runner_of, tiny

from mmkd.engine import GradientConflictHook

__all__ = ['distiller', 'runner_of', 'tiny']


def test_tensorboard_has_the_scalars_of_the_log_and_pictures(
    distiller: Any, runner_of: Callable[..., Runner], tmp_path: Path
) -> None:
    backends = [dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')]
    runner = runner_of(
        distiller,
        visualizer=dict(type='Visualizer', vis_backends=backends, name='tensorboard'),
        default_hooks=dict(logger=dict(type=LoggerHook, interval=1)),
        custom_hooks=[dict(type=GradientConflictHook, interval=1, by_method=True)],
    )
    runner.train()
    picture = np.random.default_rng(0).integers(0, 255, (8, 12, 3), dtype=np.uint8)
    runner.visualizer.add_image('predictions', picture, step=4)
    runner.visualizer.close()

    [log] = tmp_path.rglob('scalars.json')
    shown = EventAccumulator(str(log.parent)).Reload()
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert len(lines) == 4
    for line in lines:
        step = line.pop('step')
        assert {'loss', 'task_loss', 'distill.kd.loss', 'lr'} <= line.keys()
        assert 'grad_cos_rest.kd' in line
        for name, value in line.items():
            found = {event.step: event.value for event in shown.Scalars(name)}
            assert found[step] == pytest.approx(value, rel=1e-6), name
    [image] = shown.Images('predictions')
    assert (image.step, image.height, image.width) == (4, 8, 12)
