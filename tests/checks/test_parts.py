from collections.abc import Callable
from pathlib import Path
from typing import Any

import mmpretrain
import mmseg
import pytest
from mmengine.config import Config

from mmkd.checks import check_config
from mmkd.config.experiments import CONFIGS
from mmkd.resilience import protect

PAIRS = sorted((CONFIGS / '_base_/pairs').glob('*.py'))
OFFICIAL = [
    file
    for package in (mmseg, mmpretrain)
    for file in sorted(Path(package.__file__).parent.glob('.mim/configs/*/*.py'))
    if '_base_' not in file.parts
]

HOOK = 'default_hooks__checkpoint__'


@pytest.mark.parametrize(
    ('key', 'value', 'message'),
    [
        (f'{HOOK}intervall', 5, "default_hooks.checkpoint: .*'intervall'.*'interval'"),
        ('default_hooks__chekpoint__interval', 5, "has no type.*'checkpoint'"),
        (f'{HOOK}max_keep', 5, "checkpoint: nothing reads 'max_keep'"),
        (f'{HOOK}type', 'CheckpointHok', "no type 'CheckpointHok'.*Checkpoint"),
        ('default_hooks__timer__intervl', 1, "timer: IterTimerHook has no setting"),
        ('custom_hooks', [dict(type='EMAHook', begin_epoc=1)], r'_hooks\[0\]: EMAHook'),
        ('custom_hooks', [dict(type='EMAHook', momentun=0.1)], "Averag.*'momentum'"),
        (
            'optim_wrapper__clip_grad',
            dict(_delete_=True, max_nrm=1),
            r"clip_grad: .*'max_norm'",
        ),
        ('train_dataloader__datset__x', 1, "train_dataloader: .*'datset'.*'dataset'"),
        ('train_dataloader__batchsize', 1, "train_dataloader: .*'batch_size'"),
        ('val_dataloader__dataset__ann_fil', '', "val_.*.dataset: .*'ann_file'"),
        ('train_dataloader__sampler__shufle', 1, "train_.*sampler: .*'shuffle'"),
        ('optim_wrapper__optimizer__momentm', 1, "wrapper.optimizer: SGD .*mentum'"),
        ('optim_wrapper__clip_grd', {}, "optim_wrapper: OptimWrapper .*'clip_grad'"),
        ('train_cfg__val_intervall', 9, "train_cfg: Resum.*'val_interval'"),
        ('val_evaluator__iou_metric', [], "val_evaluator: IoUMetric .*'iou_metrics'"),
        ('model__student__backbone__dept', 18, "model.student.backbone: .*'depth'"),
        (
            'model__teacher',
            dict(
                _delete_=True,
                config=dict(
                    type='mmseg.EncoderDecoder',
                    backbone=dict(type='ResNetV1c', dept=18),
                ),
            ),
            r"model\.teacher\.config\.backbone: .*'depth'",
        ),
        ('model__task_wieght', 1, "model: Distiller has no .*'task_weight'"),
        ('model__teacher__fodl', False, "teacher: FrozenTeacher has no .*'fold'"),
        ('model__methods__dual_head__wieght', 1, "dual_head: DualHead .*'weight'"),
        ('model__methods__dual_head__loss__tua', 1, "dual_head.loss: Bin.*'tau'"),
        ('model__methods__dual_head__head__type', 'LinearClassifer', "'LinearC"),
        ('model__methods__dualhead', dict(weight=1), 'dualhead has no type'),
        (
            'model__student__backbone__init_cfg',
            [dict(type='Constant', vall=1.0, layer='BatchNorm2d')],
            r"init_cfg\[0\]: ConstantInit has no setting 'vall'.*'val'",
        ),
        ('log_processor__windowsize', 1, "log_processor: .*'window_size'"),
        ('visualizer__save_dirr', '', "visualizer: .*'save_dir'"),
        (
            'param_scheduler',
            [dict(type='PolyLR', eta_mim=0.0)],
            r"param_scheduler\[0\]: PolyLR .*'eta_min'",
        ),
        (
            'train_dataloader__dataset__pipeline',
            [dict(type='LoadImageFromFile'), dict(type='RandomFlip', prb=0.5)],
            r"train_dataloader\.dataset\.pipeline\[1\]: RandomFlip .*'prob'",
        ),
        (
            'val_dataloader__dataset__pipeline',
            [dict(type='LoadBiomedicalAnnotation', decode_backend='pickle')],
            r"pipeline\[0\]: decode_backend='pickle' would run code in the files",
        ),
    ],
)
def test_arguments_that_nothing_takes(
    check: Callable[..., None], key: str, value: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        check(**{key: value})


SCHEDULER = dict(type='PolyLR', eta_mim=0.0)


@pytest.mark.parametrize(
    ('value', 'where'),
    [
        (SCHEDULER, 'param_scheduler'),
        (dict(first=[], second=SCHEDULER), r'param_scheduler\.second'),
        (dict(first=[], second=[SCHEDULER]), r'param_scheduler\.second\[0\]'),
    ],
)
def test_schedulers_in_every_form_are_checked(
    changed: Callable[..., Config], value: Any, where: str
) -> None:
    cfg = changed()
    cfg.param_scheduler = value
    with pytest.raises(ValueError, match=f"^{where}: PolyLR .*'eta_min'"):
        check_config(cfg)


@pytest.mark.parametrize(
    ('key', 'value', 'message'),
    [
        ('train_dataloader__batch_size', 'two', 'batch_size must be a number'),
        ('optim_wrapper__optimizer__lr', 'fast', "lr must be a number, got 'fast'"),
        ('randomness__seed', 'three', 'randomness: seed must be an integer or None'),
        (f'{HOOK}interval', 'ten', "interval must be an integer, got 'ten'"),
        ('train_cfg__max_iters', 'many', 'train_cfg: max_iters must be an integer'),
        ('default_hooks__logger__interval', [5], 'logger: interval must be an integer'),
        ('param_scheduler', [dict(type='PolyLR', by_epoch='no')], "by_epoch .*'no'"),
        ('param_scheduler', [dict(type='MultiStepLR', milestones=2)], 'must be a list'),
        ('model__task_weight', 'much', 'model: task_weight must be a number or None'),
        ('model__methods__dual_head__weight', 'low', 'head: weight must be a number'),
    ],
)
def test_values_of_a_wrong_type(
    check: Callable[..., None], key: str, value: Any, message: str
) -> None:
    with pytest.raises(TypeError, match=message):
        check(**{key: value})


@pytest.mark.parametrize(
    ('key', 'value', 'message'),
    [
        ('default_scope', 'mmsegg', "'mmsegg' is not .* Did you mean 'mmseg'"),
        ('param_scheduler', [dict(type='PolyLr')], r"\[0\]: .*'PolyLr'.*'PolyLR'"),
        ('optim_wrapper__optimizer__type', 'SDG', "no type 'SDG'. Did .*'SGD'"),
        ('train_dataloader__sampler__type', 'Alphabetic', "no type 'Alphabetic'"),
        ('custom_hooks', [dict(type='mmpretrain.EMAHok')], "type 'mmpretrain.EMAHok'"),
        ('val_evaluator__type', 'IouMetric', "no type 'IouMetric'. Did .*'IoUMetric'"),
        ('val_dataloader__collate_fn', dict(type='pseudo_colate'), "_fn: .*_collate'"),
        ('model__student__backbone__norm_cfg__type', 'BNN', "norm_cfg: .*'BNN'.*'BN"),
        ('model__student__decode_head__act_cfg', dict(type='RLU'), "act_cfg: .*'RLU'"),
        (
            'model__student__backbone__init_cfg',
            dict(type='Pretraind', checkpoint='x'),
            "backbone.init_cfg: there is no type 'Pretraind'. Did .*'Pretrained'",
        ),
    ],
)
def test_types_that_there_are_not(
    check: Callable[..., None], key: str, value: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        check(**{key: value})


def test_what_a_checkpoint_hook_hands_on_is_taken(check: Callable[..., None]) -> None:
    check(**{f'{HOOK}meta': {}, f'{HOOK}priority': 9, f'{HOOK}save_optimizer': False})


def test_albumentations_builds_its_own_transforms(check: Callable[..., None]) -> None:
    steps = [dict(type='RandomCrop', height=8, width=8), dict(type='RandomRotate90')]
    pipeline = [dict(type='Albu', transforms=steps)]
    check(train_dataloader__dataset__pipeline=pipeline)


@pytest.mark.parametrize('holder', ['Albu', 'Compose', 'NobodyKnows'])
def test_code_in_files_is_refused_at_any_depth(
    check: Callable[..., None], holder: str
) -> None:
    step = dict(type='LoadBiomedicalData', decode_backend='pickle')
    pipeline = [dict(type=holder, transforms=[[step]])]
    with pytest.raises(ValueError, match="decode_backend='pickle' would run code"):
        check(train_dataloader__dataset__pipeline=pipeline)


def test_layers_of_a_backbone_of_another_library(check: Callable[..., None]) -> None:
    backbone = dict(
        _delete_=True,
        type='mmpretrain.ConvNeXt',
        arch='tiny',
        norm_cfg=dict(type='LN2d', eps=1e-6),
    )
    check(model__student__backbone=backbone)
    backbone['norm_cfg'] = dict(type='LN3d')
    with pytest.raises(ValueError, match="norm_cfg: there is no type 'LN3d'"):
        check(model__student__backbone=backbone)


@pytest.mark.parametrize('file', [*PAIRS, *OFFICIAL[::80]], ids=lambda file: file.stem)
def test_published_configs_pass(file: Path) -> None:
    cfg = Config.fromfile(file)
    if 'teacher' in cfg.model:
        cfg.model.methods = dict(kd=dict(type='mmkd.LogitsKD'))
    protect(cfg)
    check_config(cfg)
