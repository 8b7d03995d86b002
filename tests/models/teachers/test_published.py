from pathlib import Path
from typing import Any

import pytest

from mmkd.models.teachers.published import Published, published

VOC = 'PASCAL VOC 2007'


@pytest.mark.parametrize(
    ('config', 'metric', 'score', 'dataset'),
    [
        (
            'mmseg::deeplabv3/deeplabv3_r101-d8_4xb2-80k_cityscapes-512x1024.py',
            'mIoU',
            80.20,
            'Cityscapes',
        ),
        ('mmpretrain::csra/resnet101-csra_1xb16_voc07-448px.py', 'mAP', 94.98, VOC),
        (
            'mmpretrain::resnet/resnet34_8xb32_in1k.py',
            'top-1 accuracy',
            73.62,
            'ImageNet-1k',
        ),
    ],
)
def test_a_package_says_how_good_its_models_are(
    config: str, metric: str, score: float, dataset: str
) -> None:
    assert published(config, metric) == Published(score, dataset)
    assert published(config, dict(mIoU='top-1 accuracy').get(metric, 'mIoU')) is None


def test_so_does_the_metafile_beside_a_config(tmp_path: Path) -> None:
    (tmp_path / 'metafile.yml').write_text(
        'Models:\n'
        '- Name: street\n'
        '  Config: configs/street.py\n'
        '  Results:\n'
        '  - Dataset: CamVid\n'
        '    Task: Semantic Segmentation\n'
        '    Metrics: {mIoU: 53.9}\n'
    )
    assert published(str(tmp_path / 'street.py'), 'mIoU') == Published(53.9, 'CamVid')
    assert published(str(tmp_path / 'field.py'), 'mIoU') is None
    assert published(str(tmp_path / 'none/street.py'), 'mIoU') is None
    assert published('mmseg::_base_/models/deeplabv3_r50-d8.py', 'mIoU') is None


@pytest.mark.parametrize(
    ('name', 'dataset', 'same'),
    [
        ('CityscapesDataset', 'Cityscapes', True),
        ('ImageNet', 'ImageNet-1k', True),
        ('CIFAR100', 'CIFAR-100', True),
        ('PascalVOCDataset', 'Pascal VOC 2012 + Aug', True),
        ('PascalContextDataset59', 'Pascal Context 59', True),
        ('COCOStuffDataset', 'COCO-Stuff 164k', True),
        ('VOC', VOC, True),
        ('Dataset', 'Cityscapes', False),
        ('CIFAR100', 'ImageNet-1k', False),
        ('BaseSegDataset', 'Cityscapes', False),
    ],
)
def test_a_score_is_of_the_data_set_of_its_name(
    name: str, dataset: str, same: bool
) -> None:
    other: Any = type(name, (), {})()
    assert Published(1.0, dataset).is_of(other) is same
