"""The validation loss, against a direct computation."""

import math
from typing import Any

import pytest
import torch
from mmengine.structures import PixelData
from tiny_models import CLASSES, Noise
from torch.nn import functional as F  # noqa: N812

from mmkd.engine import ValidationLossHook
from mmkd.label_vote import majority
from mmkd.models.tasks import task_of
from mmkd.structures import Targets


def logged(tiny: Any, task: str, model: Any, samples: dict[str, Any]) -> Any:
    metric = 'mmpretrain.Accuracy' if task == 'images' else 'mmseg.IoUMetric'
    runner = tiny.runner(
        model,
        task,
        val_dataloader=dict(
            batch_size=3,
            num_workers=0,
            dataset=Noise(samples),
            sampler=dict(type='DefaultSampler', shuffle=False),
            collate_fn=dict(type='pseudo_collate'),
        ),
        val_cfg={},
        val_evaluator=dict(type=metric),
        custom_hooks=[dict(type='mmkd.ValidationLossHook')],
    )
    runner.train()
    return runner.message_hub.log_scalars.get('val/cross_entropy')


@pytest.mark.parametrize('kind', ['distiller', 'student alone'])
def test_it_is_the_mean_over_images_or_pixels(kind: str, tiny: Any, task: str) -> None:
    model = tiny.distiller(task) if kind == 'distiller' else tiny.plain(task)
    samples = tiny.batch(task, seed=5, count=8)
    found = logged(tiny, task, model, samples).current()
    model.eval()
    total = count = 0.0
    for index in range(8):
        item = Noise(samples)[index]
        data = model.data_preprocessor({k: [v] for k, v in item.items()}, False)
        with torch.no_grad():
            logits = model(data['inputs'], mode='tensor').double()
        [sample] = data['data_samples']
        if task == 'images':
            labels = sample.gt_label
        else:
            labels = majority(sample.gt_sem_seg.data, logits.shape[2:], 255, False)
        total += F.cross_entropy(logits, labels, ignore_index=255, reduction='sum')
        count += int((labels != 255).sum())
    assert found == pytest.approx(float(total) / count, rel=1e-5)


def test_logits_that_say_nothing_cost_the_logarithm_of_the_classes() -> None:
    hook = ValidationLossHook()
    hook.begin()
    hook.add(torch.ones(3, CLASSES), Targets(torch.tensor([0, 2, 1])))
    hook.add(torch.zeros(1, CLASSES, 2, 2), Targets(torch.ones(1, 2, 2).long()))
    assert hook.measures() == pytest.approx({'cross_entropy': math.log(CLASSES)})
    hook.begin()
    nowhere = torch.full((1, 2, 2), Targets.ignore_index)
    hook.add(torch.zeros(1, CLASSES, 2, 2), Targets(nowhere))
    assert hook.measures() == {}


def test_images_without_a_class_play_no_part(tiny: Any) -> None:
    samples = tiny.batch('pixels', count=8)
    for sample in samples['data_samples']:
        sample.gt_sem_seg = PixelData(data=torch.full((1, 32, 32), 255))
    samples['data_samples'][0].gt_sem_seg.data[:] = 1
    some = logged(tiny, 'pixels', tiny.plain('pixels'), samples)
    assert some.current() > 0


@pytest.mark.parametrize('padding', [dict(size=(48, 64)), dict(size_divisor=48)])
def test_padding_has_no_class(tiny: Any, padding: dict[str, Any]) -> None:
    model = tiny.plain('pixels')
    samples = tiny.batch('pixels', seed=5, count=8, size=32)
    for number, sample in enumerate(samples['data_samples']):
        # Half of the size of their images, as after a resize of these alone.
        sample.gt_sem_seg = PixelData(data=sample.gt_sem_seg.data[:, ::2, ::2])
        sample.set_metainfo(dict(ori_shape=(16, 16), img_path=f'{number}.png'))
    task = task_of(model)
    batch = {
        name: [Noise(samples)[number][name] for number in range(3)] for name in samples
    }
    plain = task.targets(model.data_preprocessor(batch, False)['data_samples'])
    model.data_preprocessor.test_cfg = padding
    found = task.targets(model.data_preprocessor(batch, False)['data_samples'])
    height, width = (24, 32) if 'size' in padding else (24, 24)
    assert found.labels.shape == (3, height, width)
    assert torch.equal(found.labels[:, :16, :16], plain.labels)
    assert found.valid.sum() == plain.valid.sum()
