import itertools
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.structures import PixelData
from mmpretrain.structures import DataSample
from mmseg.structures import SegDataSample
from torch import nn
from torch.nn import functional as F  # noqa: N812

from mmkd.models import build_model
from mmkd.models.build import model_dict
from mmkd.models.tasks import ImageTask, PixelTask, set_num_classes, task_of


@pytest.fixture
def pixels() -> PixelTask:
    return PixelTask(align_corners=False, ignore_index=255)


def street(labels: list[int], path: str | None = 'street.png') -> SegDataSample:
    sample = SegDataSample(metainfo=dict(img_path=path) if path else {})
    sample.gt_sem_seg = PixelData(data=torch.tensor([[labels]]))
    return sample


def test_labels_of_images(tiny: Any) -> None:
    samples = tiny.batch('images', count=5)['data_samples']

    targets = ImageTask().targets(samples)

    assert targets.labels.tolist() == [int(sample.gt_label) for sample in samples]
    assert targets.scores is None
    assert targets.valid.all()


@pytest.mark.parametrize('kind', ['Mixup', 'CutMix'])
def test_scores_of_mixed_images(tiny: Any, kind: str) -> None:
    config = tiny.classifier()
    config['data_preprocessor'].update(
        num_classes=4, batch_augments=dict(augments=[dict(type=kind, alpha=1.0)])
    )
    model, raw = build_model(config), tiny.batch('images', count=4)
    labels = [int(sample.gt_label) for sample in raw['data_samples']]
    np.random.seed(1)
    torch.manual_seed(1)

    samples = model.data_preprocessor(raw, training=True)['data_samples']
    targets = ImageTask().targets(samples)

    scores = torch.stack([sample.gt_score for sample in samples])
    assert targets.scores is not None
    assert targets.scores.equal(scores)
    assert ((scores > 0).sum(1) == 2).any()
    assert targets.labels.tolist() == labels


def test_one_hot_scores_are_those_of_whole_images(tiny: Any) -> None:
    config = tiny.classifier()
    config['data_preprocessor'].update(num_classes=4, to_onehot=True)
    model, raw = build_model(config), tiny.batch('images', count=4)
    samples = model.data_preprocessor(raw, training=True)['data_samples']
    targets = ImageTask().targets(samples)
    assert all('gt_score' in sample for sample in samples)
    assert targets.scores is None
    assert targets.labels.tolist() == [int(sample.gt_label) for sample in samples]

    several = ImageTask(exclusive=False, several_labels=True, num_classes=4)
    expected = torch.stack([sample.gt_score for sample in samples])
    assert torch.equal(several.targets(samples).scores, expected)


def test_scores_alone_give_labels() -> None:
    samples = [
        DataSample().set_gt_score(torch.tensor(score))
        for score in ([0.1, 0.9], [0.6, 0.4])
    ]

    assert ImageTask().targets(samples).labels.tolist() == [1, 0]


def test_images_without_labels_are_refused() -> None:
    with pytest.raises(ValueError, match=r'neither a single gt_label nor gt_score'):
        ImageTask().targets([DataSample()])


def test_maps_of_labels(pixels: PixelTask) -> None:
    targets = pixels.targets([street([0, 255, 3]), street([1, 2, 255])])

    assert targets.labels.dtype == torch.int64
    assert targets.labels.tolist() == [[[0, 255, 3]], [[1, 2, 255]]]
    assert targets.valid.tolist() == [[[True, False, True]], [[True, True, False]]]


@pytest.mark.parametrize('align_corners', [True, False])
def test_labels_lie_on_logits_as_these_are_resized(align_corners: bool) -> None:
    targets = PixelTask(align_corners, 255).targets([street([0, 1])])

    assert targets.align_corners is align_corners


@pytest.mark.parametrize('align_corners', [True, False])
def test_logits_are_resized_as_the_student_resizes(align_corners: bool) -> None:
    task, logits = PixelTask(align_corners, 255), torch.randn(2, 3, 4, 5)

    expected = F.interpolate(
        logits, (7, 9), mode='bilinear', align_corners=align_corners
    )
    torch.testing.assert_close(task.resize(logits, (7, 9)), expected)
    assert task.resize(logits, (4, 5)) is logits


def test_logits_of_images_have_no_map() -> None:
    logits = torch.randn(2, 3)

    assert ImageTask().resize(logits, ()) is logits


def test_valid_labels_pass(pixels: PixelTask) -> None:
    pixels.check_labels([street([0, 3, 255]), street([255, 255])], 4)
    ImageTask().check_labels([DataSample().set_gt_label(3), DataSample()], 4)


@pytest.mark.parametrize('dtype', [torch.uint8, torch.int32, torch.int64])
def test_wrong_label_and_its_image_are_named(
    pixels: PixelTask, dtype: torch.dtype
) -> None:
    sample = street([0, 7, 4, 255, 7])
    sample.gt_sem_seg.data = sample.gt_sem_seg.data.to(dtype)

    with pytest.raises(ValueError, match=r'labels \[4, 7\] of street\.png .*\(0 to 3'):
        pixels.check_labels([street([0, 1]), sample], 4)


def test_negative_label_is_wrong(pixels: PixelTask) -> None:
    with pytest.raises(ValueError, match=r'labels \[-1\] of an image without a path'):
        pixels.check_labels([street([0, -1], path=None)], 4)


@pytest.mark.parametrize('shape', [(6, 6, 3), (3, 6, 6), (6, 6)])
def test_labels_with_channels_name_their_file(
    pixels: PixelTask, shape: tuple[int, ...]
) -> None:
    sample = street([0, 1])
    sample.gt_sem_seg = PixelData(data=torch.zeros(1, 1, 2))
    sample.gt_sem_seg.__dict__['data'] = torch.zeros(shape)
    pixels.check_targets([street([0, 1])])

    with pytest.raises(ValueError, match=r'the labels of street\.png .*one channel'):
        pixels.check_targets([street([0, 1]), sample])
    sample.set_metainfo(dict(seg_map_path='mask.png'))
    with pytest.raises(ValueError, match=r'the labels of mask\.png have the shape'):
        pixels.check_targets([sample])


def test_labels_of_another_size_name_their_file(pixels: PixelTask) -> None:
    samples = [street([0, 1, 2]), street([0, 1])]
    pixels.check_targets(samples, [torch.zeros(3, 1, 3), torch.zeros(3, 1, 2)])

    with pytest.raises(ValueError, match=r'street\.png have the size .* \(1, 4\)'):
        pixels.check_targets(samples, [torch.zeros(3, 1, 3), torch.zeros(3, 1, 4)])


def test_wrong_label_of_an_image() -> None:
    sample = DataSample(metainfo=dict(img_path='cat.png')).set_gt_label(255)

    with pytest.raises(ValueError, match=r'labels \[255\] of cat\.png'):
        ImageTask().check_labels([sample], 10)


def test_one_channel_tells_two_classes_apart(pixels: PixelTask) -> None:
    pixels.check_labels([street([0, 1, 255])], 1)

    with pytest.raises(ValueError, match=r'labels \[2\]'):
        pixels.check_labels([street([0, 1, 2])], 1)


def test_task_is_told_by_the_head(tiny: Any) -> None:
    assert isinstance(task_of(build_model(tiny.classifier())), ImageTask)
    assert isinstance(task_of(build_model(tiny.segmentor())), PixelTask)
    with pytest.raises(TypeError, match='Linear has neither a `head`'):
        task_of(nn.Linear(1, 1))


@pytest.mark.parametrize('classes', [2, 4])
def test_targets_know_how_many_classes_there_are(tiny: Any, classes: int) -> None:
    model = build_model(tiny.segmentor(classes=classes))

    assert task_of(model).targets([street([0, 1, 255])]).num_classes == classes


def test_last_of_cascaded_heads_counts() -> None:
    heads = [Head(True, 255), Head(False, 9)]
    model = nn.Module()
    model.decode_head = nn.ModuleList(heads)

    task = task_of(model)

    assert isinstance(task, PixelTask)
    assert (task.align_corners, task.ignore_index) == (False, 9)


class Head(nn.Module):
    def __init__(self, align_corners: bool, ignore_index: int) -> None:
        super().__init__()
        self.align_corners, self.ignore_index = align_corners, ignore_index


def test_class_count_reaches_every_classifier() -> None:
    model = ConfigDict(
        type='Any',
        data_preprocessor=dict(num_classes=19),
        backbone=dict(num_classes=19, arch='vgg'),
        neck=dict(num_classes=-1),
        decode_head=[
            dict(num_classes=19, loss_decode=dict(type='CrossEntropyLoss')),
            dict(kernel_update_head=[dict(num_classes=19), dict(num_classes=19)]),
        ],
        auxiliary_head=dict(num_classes=19, channels=19),
        head=dict(num_classes=None, loss=dict(num_classes=19)),
    )

    set_num_classes(model, 5)

    assert model == dict(
        type='Any',
        data_preprocessor=dict(num_classes=5),
        backbone=dict(num_classes=5, arch='vgg'),
        neck=dict(num_classes=-1),
        decode_head=[
            dict(num_classes=5, loss_decode=dict(type='CrossEntropyLoss')),
            dict(kernel_update_head=[dict(num_classes=5), dict(num_classes=5)]),
        ],
        auxiliary_head=dict(num_classes=5, channels=19),
        head=dict(num_classes=None, loss=dict(num_classes=5)),
    )


def image(path: str, label: Any = None, score: Any = None) -> DataSample:
    sample = DataSample(metainfo=dict(img_path=path))
    if label is not None:
        sample.set_gt_label(label)
    return sample if score is None else sample.set_gt_score(torch.tensor(score))


LABELS: dict[str, Any] = {'a.png': [0, 2], 'b.png': [1], 'c.png': [], 'd.png': [3, 1]}
SEVERAL = ImageTask(exclusive=False, several_labels=True, num_classes=4)


@pytest.mark.parametrize('names', list(itertools.permutations(LABELS)))
def test_several_labels_stay_with_their_image(names: tuple[str, ...]) -> None:
    samples = [image(name, LABELS[name]) for name in names]

    targets = SEVERAL.targets(samples)

    SEVERAL.check_targets(samples)
    SEVERAL.check_labels(samples, 4)
    assert targets.scores is not None
    rows = [[k for k in range(4) if row[k] == 1] for row in targets.scores]
    assert rows == [sorted(LABELS[name]) for name in names]
    assert not targets.exclusive
    assert targets.valid.all()


def test_scores_take_the_place_of_several_labels() -> None:
    scores = [[0.0, 1.0, 1.0, 0.0], [1.0, 0.0, 0.0, 0.5]]
    samples = [image('a.png', [1, 2], scores[0]), image('b.png', None, scores[1])]

    targets = SEVERAL.targets(samples)

    assert targets.scores is not None
    assert targets.scores.tolist() == scores


@pytest.mark.parametrize('labels', [[[0], [1, 2]], [[1, 2], [0]], [[0], []]])
def test_other_than_one_label_under_softmax_names_the_image(labels: Any) -> None:
    """Concatenating them would shift all that follow."""
    names = ['a.png', 'b.png']
    samples = [image(name, label) for name, label in zip(names, labels, strict=True)]
    wrong = names[[len(label) for label in labels].index(2 if [1, 2] in labels else 0)]

    for check in (ImageTask().targets, ImageTask().check_targets):
        with pytest.raises(ValueError, match=rf'{wrong} has the labels .* one class'):
            check(samples)


@pytest.mark.parametrize('task', [ImageTask(), SEVERAL])
@pytest.mark.parametrize('first', [True, False])
def test_two_kinds_of_targets_in_a_batch_name_the_image(
    task: ImageTask, first: bool
) -> None:
    samples = [image('a.png', 1), image('b.png', 1, [0.0, 1.0, 0.0, 0.0])]
    said = r'b\.png has gt_score, unlike a\.png'
    if not first:
        samples.reverse()
        said = r'a\.png has no gt_score, unlike b\.png'

    with pytest.raises(ValueError, match=said):
        task.check_targets(samples)
    with pytest.raises(ValueError, match=said):
        task.targets(samples)


def test_a_head_for_something_else_keeps_its_classes() -> None:
    """Such as STDC's, which separates boundaries from the rest."""
    config = 'mmseg::stdc/stdc1_4xb12-80k_cityscapes-512x1024.py'
    model = model_dict(config)
    before = [head['num_classes'] for head in model['auxiliary_head']]
    assert before == [19, 19, 2]
    set_num_classes(model, 5)
    assert model['decode_head']['num_classes'] == 5
    assert [head['num_classes'] for head in model['auxiliary_head']] == [5, 5, 2]
