from collections.abc import Callable
from typing import Any

import pytest
from mmcv.transforms import BaseTransform
from mmpretrain.models import ResNet, SwinTransformer, ViTSAM
from mmseg.datasets import RandomCrop

from mmkd.checks.values import check_values

CLIPPING = 'optim_wrapper__clip_grad'
TRANSFORMS = 'train_dataloader__dataset__pipeline'


@pytest.mark.parametrize(
    ('key', 'value', 'message'),
    [
        ('train_dataloader__batch_size', 0, '^train_dataloader: batch_size .*, got 0'),
        ('val_dataloader__batch_size', -1, 'val_dataloader: batch_size .* at least 1'),
        ('test_dataloader__num_workers', -2, 'test_dataloader: num_workers .* least 0'),
        ('train_dataloader__prefetch_factor', 0, 'prefetch_factor must .* least 1'),
        ('optim_wrapper__accumulative_counts', 0, 'optim_wrapper: accumulative_counts'),
        ('randomness__seed', -1, 'randomness: seed must .* of at least 0'),
        ('log_processor__window_size', 0, 'log_processor: window_size'),
        ('default_hooks__logger__interval', 0, 'default_hooks.logger: interval'),
        ('train_dataloader__batch_size', 1.5, 'integer of at least 1, got 1.5'),
        ('model__num_classes', 0, 'model: num_classes must .* of at least 1'),
        ('model__student__decode_head__num_classes', 0, 'head: num_classes'),
        ('model__student__data_preprocessor__std', [0.0] * 3, 'std .* greater than 0'),
        (TRANSFORMS, [dict(type='RandomCrop', crop_size=(0, 9))], r'\(0, 9\)'),
        (TRANSFORMS, [dict(type='RandomFlip', prob=1.5)], 'prob .* between 0 and 1'),
        ('default_hooks__visualization__interval', 0, 'visualization: interval'),
        ('custom_hooks', [dict(type='EMAHook', interval=0)], r'hooks\[0\]: interval'),
        ('optim_wrapper__optimizer__lr', float('nan'), 'lr must be finite, got nan'),
        (CLIPPING, dict(_delete_=True, max_norm=0), 'clip_grad: max_norm must be'),
    ],
)
def test_sizes_that_cannot_be(
    check: Callable[..., None], key: str, value: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        check(**{key: value})


@pytest.mark.parametrize(
    ('key', 'value', 'message'),
    [
        (CLIPPING, dict(_delete_=True, max_norm='big'), 'clip_grad: max_norm must be'),
        ('model__student__data_preprocessor__mean', list('abc'), 'mean must be finite'),
        (TRANSFORMS, [dict(type='RandomCrop', crop_size='big')], 'crop_size must be'),
        ('model__student__decode_head__align_corners', 'no', 'must be True or False'),
    ],
)
def test_words_in_the_place_of_numbers(
    check: Callable[..., None], key: str, value: Any, message: str
) -> None:
    with pytest.raises(TypeError, match=message):
        check(**{key: value})


def metric(kind: str, **settings: Any) -> list[dict[str, Any]]:
    return [dict(type=kind, **settings)]


@pytest.mark.parametrize(
    ('key', 'value', 'message'),
    [
        ('val_evaluator__iou_metrics', ['mIuU'], "metrics must .*'mIuU'.*'mIoU'"),
        ('val_evaluator__iou_metrics', 'mDcie', "val_evaluator: .*'mDice'"),
        ('test_evaluator__iou_metrics', ['mIoU', 'mIuU'], 'test_evaluator: iou_'),
        ('val_evaluator__collect_device', 'gppu', "cpu, gpu, npu, got 'gppu'"),
        (
            'val_evaluator',
            metric('mmpretrain.SingleLabelMetric', items=['precison']),
            "items must .*'precison'. Did you mean 'precision'",
        ),
        (
            'val_evaluator',
            metric('mmpretrain.MultiLabelMetric', average='marco'),
            "average must be one of macro, .* got 'marco'.*'macro'",
        ),
        ('val_evaluator', metric('mmpretrain.Accuracy', topk=[]), 'topk .* empty list'),
        ('val_evaluator', metric('mmpretrain.Accuracy', topk=(1, 0)), r'got \(1, 0\)'),
        ('env_cfg__mp_cfg__mp_start_method', 'frok', "'frok'. Did you mean 'fork'"),
        (TRANSFORMS, [dict(type='RandomFlip', direction='up')], "dire.* got 'up'"),
        ('model__student__test_cfg__mode', 'whoel', "test_cfg: mode .*'whole'"),
        ('model__student__backbone__style', 'pytroch', "backbone: style .*'pytorch'"),
    ],
)
def test_names_of_no_choice(
    check: Callable[..., None], key: str, value: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        check(**{key: value})


def test_values_that_can_be(check: Callable[..., None]) -> None:
    check(
        train_dataloader__num_workers=0,
        train_dataloader__prefetch_factor=None,
        val_evaluator__iou_metrics='mDice',
        test_evaluator=[
            *metric('mmpretrain.SingleLabelMetric', average=None, items=['recall']),
            *metric('mmpretrain.Accuracy', topk=5),
        ],
        randomness__seed=None,
        default_hooks__checkpoint__interval=-1,
        model__student__data_preprocessor__size=None,
    )


class Cartoon(BaseTransform):
    """A user's own, of whose settings the libraries' names say nothing."""

    def __init__(self, style: str, size: int, reduction: str) -> None:
        pass

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        return results


def test_the_same_name_may_mean_something_else(check: Callable[..., None]) -> None:
    step = dict(type=Cartoon, style='cartoon', size=-1, reduction='batchmean')
    check(train_dataloader__dataset__pipeline=[step])
    check_values('here', ViTSAM, dict(window_size=0))
    with pytest.raises(ValueError, match='window_size'):
        check_values('here', SwinTransformer, dict(window_size=0))

    class Mine(ResNet):
        """Takes what its base takes."""

    with pytest.raises(ValueError, match='style'):
        check_values('here', Mine, dict(style='cartoon'))

    class Percent(RandomCrop):
        """Redefines a setting of its base."""

        def __init__(self, crop_size: int, cat_max_ratio: float) -> None:
            super().__init__(crop_size, cat_max_ratio / 100)

    check_values('here', Percent, dict(cat_max_ratio=75.0))
    with pytest.raises(ValueError, match='cat_max_ratio'):
        check_values('here', RandomCrop, dict(cat_max_ratio=75.0))
