"""Neural collapse measured in validation, against a direct computation."""

import copy
from typing import Any

import pytest
import torch
from mmengine.structures import PixelData
from tiny_models import CLASSES, Noise
from torch.utils.data import ConcatDataset

from mmkd.engine import NeuralCollapseHook
from mmkd.models.class_geometry import ClassMoments
from mmkd.models.taps import capture


def runner_of(
    tiny: Any, task: str, model: Any, name: str = 'run', images: Any = None, **hook: Any
) -> Any:
    metric = 'mmpretrain.Accuracy' if task == 'images' else 'mmseg.IoUMetric'
    return tiny.runner(
        model,
        task,
        name,
        val_dataloader=dict(
            batch_size=3,
            num_workers=0,
            dataset=images or Noise(tiny.batch(task, seed=5, count=8)),
            sampler=dict(type='DefaultSampler', shuffle=False),
            collate_fn=dict(type='pseudo_collate'),
        ),
        val_cfg={},
        val_evaluator=dict(type=metric),
        custom_hooks=[dict(type='mmkd.NeuralCollapseHook', **hook)],
    )


def logged(runner: Any) -> dict[str, float]:
    return {
        name.removeprefix('val/collapse_'): history.current()
        for name, history in runner.message_hub.log_scalars.items()
        if 'val/collapse_' in name
    }


@pytest.mark.parametrize('kind', ['distiller', 'student alone'])
def test_measures_are_those_of_all_validation_features(
    kind: str, tiny: Any, task: str
) -> None:
    model = tiny.distiller(task) if kind == 'distiller' else tiny.plain(task)
    runner = runner_of(tiny, task, model, positions=10_000)
    runner.train()

    view = NeuralCollapseHook()
    view.before_run(runner)
    found = ClassMoments(CLASSES)
    model.eval()
    for index in range(8):
        item = Noise(tiny.batch(task, seed=5, count=8))[index]
        batch = {name: [value] for name, value in item.items()}
        data = model.data_preprocessor(batch, False)
        tap = view._view.feature
        with capture(model, [tap]) as values, torch.no_grad():
            model(data['inputs'], mode='tensor')
        feature, sample = values[tap], data['data_samples'][0]
        if task == 'images':
            found.add(feature, sample.gt_label)
        else:
            targets = view._view.task.targets([sample]).resized(feature.shape[2:])
            valid = targets.valid[0]
            found.add(feature[0][:, valid].T, targets.labels[0][valid])
    [weight, *_] = model.get_submodule(view._view.classifier).parameters()
    expected = found.collapse(weight.flatten(1)).as_dict()
    assert logged(runner) == pytest.approx(expected, rel=1e-4)


def test_the_run_is_the_same_without_it(tiny: Any, task: str) -> None:
    model = tiny.distiller(task)
    other = copy.deepcopy(model)
    runner_of(tiny, task, model).train()
    plain = runner_of(tiny, task, other, 'without')
    plain._hooks = [h for h in plain.hooks if not isinstance(h, NeuralCollapseHook)]
    plain.train()
    for name, value in model.state_dict().items():
        assert torch.equal(value, other.state_dict()[name]), name


def test_images_cut_into_windows_are_not_measured(
    tiny: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    windows = dict(mode='slide', crop_size=(16, 16), stride=(16, 16))
    model = tiny.distiller('pixels', student=tiny.model('pixels', test_cfg=windows))
    runner = runner_of(tiny, 'pixels', model)
    said: list[str] = []
    monkeypatch.setattr(runner.logger, 'warning', said.append)
    runner.train()
    assert not logged(runner)
    assert [line for line in said if 'sliding windows' in line]


def test_images_of_one_window_do_not_stand_for_the_others(tiny: Any) -> None:
    windows = dict(mode='slide', crop_size=(32, 32), stride=(32, 32))
    model = tiny.distiller('pixels', student=tiny.model('pixels', test_cfg=windows))
    sizes = [Noise(tiny.batch('pixels', count=3, size=size)) for size in (32, 64)]
    images = ConcatDataset(sizes)
    images.metainfo = Noise.metainfo
    runner = runner_of(tiny, 'pixels', model, images=images)
    runner.train()
    assert not logged(runner)


@pytest.mark.parametrize('positions', [0, -1, 2.5])
def test_positions_that_cannot_be(positions: Any) -> None:
    with pytest.raises(ValueError, match='positions must be a whole number'):
        NeuralCollapseHook(positions)


def test_a_single_channel_has_no_rows_to_compare(tiny: Any) -> None:
    head = dict(tiny.model('pixels')['decode_head'], num_classes=2, out_channels=1)
    head['loss_decode'] = dict(type='mmseg.CrossEntropyLoss', use_sigmoid=True)
    model = tiny.plain('pixels', decode_head=head, auxiliary_head=None)
    runner = runner_of(tiny, 'pixels', model)
    with pytest.raises(ValueError, match='leave the hook out'):
        NeuralCollapseHook().before_run(runner)


def test_pixels_without_a_class_are_left_out(tiny: Any) -> None:
    model = tiny.distiller('pixels')
    runner = runner_of(tiny, 'pixels', model)
    for sample in runner._val_dataloader['dataset'].batch['data_samples']:
        sample.gt_sem_seg = PixelData(data=torch.full((1, 32, 32), 255))
    hook = NeuralCollapseHook()
    hook.before_run(runner)
    hook.before_val_epoch(runner)
    samples = runner._val_dataloader['dataset'].batch['data_samples'][:1]
    hook._seen.append(torch.zeros(1, 6, 4, 4))
    hook.after_val_iter(runner, 0, None, samples)
    hook.after_val_epoch(runner)
    assert not logged(runner)
