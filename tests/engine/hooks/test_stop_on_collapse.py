"""Training stops if the score stays at chance level."""

from typing import Any

import pytest
from mmengine.evaluator import BaseMetric
from mmengine.registry import METRICS
from tiny_models import CLASSES, Noise

from mmkd.engine import StopOnCollapseHook


@METRICS.register_module(force=True)
class Scores(BaseMetric):
    """Returns given scores, one per validation."""

    def __init__(self, scores: list[float], name: str) -> None:
        super().__init__()
        self.scores, self.name = list(scores), name

    def process(self, data_batch: Any, data_samples: Any) -> None:
        self.results.append(0)

    def compute_metrics(self, results: Any) -> dict[str, float]:
        return {self.name: self.scores.pop(0)}


def epochs(
    tiny: Any, scores: list[float], name: str = 'accuracy/top1', **hook: Any
) -> int:
    runner = tiny.runner(
        tiny.distiller('images'),
        val_dataloader=dict(
            batch_size=4,
            num_workers=0,
            dataset=Noise(tiny.batch('images', count=4)),
            sampler=dict(type='DefaultSampler', shuffle=False),
            collate_fn=dict(type='pseudo_collate'),
        ),
        val_cfg={},
        val_evaluator=dict(type='Scores', scores=scores, name=name),
        train_cfg=dict(by_epoch=True, max_epochs=len(scores)),
        custom_hooks=[dict(type='mmkd.StopOnCollapseHook', **hook)],
    )
    runner.train()
    return runner.epoch


CHANCE = 110 / CLASSES


@pytest.mark.parametrize(
    ('scores', 'settings', 'expected'),
    [
        ([CHANCE + 1] * 4, dict(begin=0), 4),
        ([CHANCE + 1, CHANCE - 1, 90, 90], dict(begin=0), 2),
        ([CHANCE - 1, CHANCE - 1, 90, CHANCE - 1], dict(begin=2), 4),
        ([CHANCE - 1] * 5, dict(begin=2), 3),
        ([60, 40, 60], dict(begin=0, bound=50), 2),
    ],
)
def test_it_stops_below_the_bound_and_not_before(
    scores: list[float], settings: dict[str, Any], expected: int, tiny: Any
) -> None:
    assert epochs(tiny, scores, **settings) == expected


@pytest.mark.parametrize(('k', 'bound'), [(2, 2 * CHANCE), (4, 100)])
def test_chance_of_the_right_class_among_several(
    k: int, bound: float, tiny: Any
) -> None:
    watched = dict(name=f'accuracy/top{k}', monitor=f'accuracy/top{k}', begin=0)
    scores = [min(bound + 1, 100), bound - 1, 90]
    assert epochs(tiny, scores, **watched) == 2


def test_settings_that_cannot_be(tiny: Any) -> None:
    with pytest.raises(ValueError, match='begin must not be negative'):
        StopOnCollapseHook(begin=-1)
    for name in ('mIoU', 'accuracy/of_mine'):
        with pytest.raises(ValueError, match=f"the chance level of '{name}'"):
            StopOnCollapseHook(monitor=name)
    with pytest.raises(ValueError, match=r'accuracy/top2.*Did you mean'):
        epochs(tiny, [1.0], monitor='accuracy/top2', begin=0)
