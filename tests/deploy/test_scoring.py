from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.dataset import pseudo_collate
from mmengine.evaluator import Evaluator
from tiny_models import Noise, Tiny
from torch import Tensor

from mmkd.deploy.network import Network
from mmkd.deploy.scoring import leading, score

Make = Callable[..., Network]
METRICS = {
    'images': dict(type='mmpretrain.Accuracy', topk=(1, 2)),
    'pixels': [dict(type='mmseg.IoUMetric', iou_metrics=['mIoU'])],
}


@pytest.fixture
def evaluated(
    tiny: Tiny, network: Make, task: str
) -> Callable[..., Mapping[str, float]]:
    """Score logits of a tiny network, on noise."""
    loader = dict(
        batch_size=3,
        num_workers=2,
        persistent_workers=True,
        sampler=dict(type='DefaultSampler', shuffle=False),
    )
    cfg = Config(dict(val_dataloader=loader, val_evaluator=METRICS[task]))

    def run(network: Network, logits_of: Any, count: int = 8) -> Mapping[str, float]:
        return score(network, logits_of, cfg, Noise(tiny.batch(task, count=8)), count)

    return run


def by_the_model(network: Network, dataset: Noise, metrics: Any) -> dict[str, float]:
    evaluator = Evaluator(metrics)
    evaluator.dataset_meta = dataset.metainfo
    for number in range(len(dataset)):
        batch = pseudo_collate([dataset[number]])
        with torch.no_grad():
            evaluator.process(network.model.val_step(batch), batch)
    return evaluator.evaluate(len(dataset))


@pytest.mark.parametrize('task', ['pixels'])
@pytest.mark.parametrize('mode', ['whole', 'slide'])
def test_some_of_a_networks_classes(
    network: Make, evaluated: Any, task: str, mode: str
) -> None:
    """As of a teacher that knows more than the data set has."""
    own = network(task, channels=torch.tensor([2, 0, 3]))
    test_cfg = dict(mode=mode, crop_size=(16, 24), stride=(8, 16))
    own.model.test_cfg = ConfigDict(test_cfg)
    assert 0 <= evaluated(own, own)['mIoU'] <= 100


@pytest.mark.parametrize('mode', ['whole', 'slide'])
def test_a_networks_own_logits_have_its_own_score(
    tiny: Tiny, network: Make, evaluated: Any, task: str, mode: str
) -> None:
    own = network(task)
    if task == 'pixels':
        test_cfg = dict(mode=mode, crop_size=(16, 24), stride=(8, 16))
        own.model.test_cfg = ConfigDict(test_cfg)
    expected = by_the_model(own, Noise(tiny.batch(task, count=8)), METRICS[task])
    found = evaluated(own, own)
    assert found == pytest.approx(expected)
    assert any(0 < value < 100 for value in found.values())
    # The model is unchanged afterwards.
    assert evaluated(own, own) == found


def test_values_per_class_are_left_out(tiny: Tiny, network: Make) -> None:
    metrics = [
        dict(type='mmpretrain.SingleLabelMetric', average=None),
        dict(type='mmpretrain.ConfusionMatrix'),
        METRICS['images'],
    ]
    loader = dict(sampler=dict(type='DefaultSampler', shuffle=False))
    cfg = Config(dict(val_dataloader=loader, val_evaluator=metrics))
    own, images = network('images'), Noise(tiny.batch('images', count=4))
    assert set(score(own, own, cfg, images, 4)) == {'accuracy/top1', 'accuracy/top2'}


def test_other_logits_have_another_score(
    network: Make, evaluated: Any, task: str
) -> None:
    own = network(task)

    def reversed_classes(images: Tensor) -> Tensor:
        return -own(images)

    assert evaluated(own, reversed_classes) != evaluated(own, own)


def test_a_few_images_are_enough(network: Make, evaluated: Any, task: str) -> None:
    own, batches = network(task), []

    def logits_of(images: Tensor) -> Tensor:
        batches.append(len(images))
        return own(images)

    evaluated(own, logits_of, 5)
    assert batches == [3, 2]


def test_the_score_that_leads() -> None:
    assert leading({'aAcc': 1.0, 'mIoU': 2.0}) == 'mIoU'
    assert leading({'other': 1.0}) == 'other'
    assert leading({}) is None
    with pytest.raises(ValueError, match='no val_evaluator'):
        score(Network, None, Config(), None, 1)  # type: ignore[arg-type]
