from pathlib import Path
from typing import Any

import mmseg
import pytest
import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmkd.models.build import build_model, model_dict, student_dict
from mmkd.models.label_settings import check_class_weights, check_padding

REFUSED = ['unet/unet-s5-d16_fcn_4xb4-160k_hsidrive-192x384.py']
"""Official configs whose padding is neither ignored nor a class."""

WEIGHTED = [
    'cgnet/cgnet_fcn_4xb4-60k_cityscapes-680x680.py',
    'ddrnet/ddrnet_23-slim_in1k-pre_2xb6-120k_cityscapes-1024x1024.py',
    'mask2former/mask2former_r50_8xb2-90k_cityscapes-512x1024.py',
    'maskformer/maskformer_r50-d32_8xb2-160k_ade20k-512x512.py',
    'pidnet/pidnet-s_2xb6-120k_1024x1024-cityscapes.py',
    'san/san-vit-b16_coco-stuff164k-640x640.py',
]
"""Official configs with class weights."""


def padded(tiny: Any, padding: int, **ignored: int) -> dict[str, Any]:
    model = tiny.segmentor()
    model['data_preprocessor']['seg_pad_val'] = padding
    for head, index in ignored.items():
        model[head]['ignore_index'] = index
    return model


@pytest.mark.parametrize(
    ('padding', 'ignored', 'said'),
    [
        (255, dict(decode_head=0), r'decode_head\.ignore_index is 0 .*4 classes'),
        (254, {}, r'seg_pad_val is 254, .*decode_head\.ignore_index is 255'),
        (-1, {}, r'seg_pad_val is -1'),
        (4, dict(decode_head=4), r'auxiliary_head\.ignore_index is 255'),
    ],
)
def test_padding_that_is_no_label_names_both_settings(
    tiny: Any, padding: int, ignored: dict[str, int], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        tiny.distiller(student=padded(tiny, padding, **ignored))


@pytest.mark.parametrize(
    ('padding', 'ignored'),
    [
        (255, {}),
        (0, {}),
        (0, dict(decode_head=0)),
        (9, dict(decode_head=9, auxiliary_head=9)),
    ],
)
def test_padding_that_is_ignored_or_a_class_trains(
    tiny: Any, padding: int, ignored: dict[str, int]
) -> None:
    distiller = tiny.distiller(student=padded(tiny, padding, **ignored)).train()
    batch = tiny.batch('pixels', size=24, ignored=0)

    data = distiller.data_preprocessor(batch, training=True)
    total, _ = distiller.parse_losses(distiller(**data, mode='loss'))

    assert data['data_samples'][0].gt_sem_seg.data[0, -1, -1] == padding
    assert total.isfinite()


@pytest.mark.parametrize('config', REFUSED)
def test_official_configs_that_are_refused(config: str) -> None:
    if not Path(mmseg.__file__).with_name('.mim').joinpath('configs', config).exists():
        pytest.skip('only onedl-mmsegmentation has it')
    model = model_dict(f'mmseg::{config}')
    # MMEngine refuses None for it.
    model['data_preprocessor']['bgr_to_rgb'] = False

    with pytest.raises(ValueError, match=r'seg_pad_val is 255, .*ignore_index is 0'):
        check_padding(build_model(model))


class PaintOver(torch.nn.Module):
    """A batch augmentation that creates a new label."""

    def forward(self, inputs: Any, data_samples: Any) -> Any:
        sample: SegDataSample = data_samples[1]
        labels = sample.gt_sem_seg.data.clone()
        labels[0, 0, 0] = 77
        sample.gt_sem_seg = PixelData(data=labels)
        return inputs, data_samples


def test_labels_are_checked_as_the_losses_see_them(tiny: Any) -> None:
    distiller = tiny.distiller().train()
    distiller.data_preprocessor.batch_augments = PaintOver()

    with pytest.raises(ValueError, match=r'labels \[77\] of street_1\.png'):
        distiller.data_preprocessor(tiny.batch('pixels'), training=True)
    distiller.eval()
    distiller.data_preprocessor(tiny.batch('pixels'), training=True)


def test_labels_with_channels_are_named_before_they_are_padded(tiny: Any) -> None:
    distiller, batch = tiny.distiller().train(), tiny.batch('pixels', size=24)
    # As MMSegmentation packs a label file of three channels.
    batch['data_samples'][1].gt_sem_seg = PixelData(data=torch.zeros(24, 24, 3))

    with pytest.raises(ValueError, match=r'labels of street_1\.png .*\(24, 24, 3\)'):
        distiller.data_preprocessor(batch, training=True)


@pytest.mark.parametrize('weights', [[1.0] * 19, (1.0, 2.0, 3.0), []])
def test_class_weights_of_another_length_are_named(tiny: Any, weights: Any) -> None:
    student = tiny.segmentor()
    loss = dict(type='mmseg.CrossEntropyLoss', class_weight=weights)
    student['auxiliary_head']['loss_decode'] = [loss]

    said = (
        rf'student\.auxiliary_head\.loss_decode\[0\]\.class_weight has {len(weights)} '
        r'weights, but its head has 4 classes'
    )
    with pytest.raises(ValueError, match=said):
        tiny.distiller(student=student)
    loss['class_weight'] = [1.0] * 4
    tiny.distiller(student=student)


def test_class_weights_meet_the_class_count_that_is_set(tiny: Any) -> None:
    student = tiny.classifier(classes=3)
    student['head']['loss']['class_weight'] = [1.0, 2.0, 1.0]
    distiller = dict(student=student, num_classes=5)

    with pytest.raises(ValueError, match=r'at\.head\.loss\.class_weight has 3 .* 5 cl'):
        check_class_weights(student_dict(distiller), 'at')


@pytest.mark.parametrize('config', WEIGHTED)
def test_official_class_weights_pass(config: str) -> None:
    model = model_dict(f'mmseg::{config}')

    assert 'class_weight' in str(model)
    check_class_weights(model, 'student')
