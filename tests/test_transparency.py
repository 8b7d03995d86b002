"""Whatever the installed packages register does what it does without mmkd.

Every hook, constructor, sampler, wrapper, loop and schedule that is registered
trains three times: under MMEngine's own runner, protected, and with a teacher
whose methods have stopped before it begins. What the training has done must
be the same, to the bit of the weights.
"""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import CheckpointHook, EarlyStoppingHook, Hook
from mmengine.registry import (
    DATA_SAMPLERS,
    DATASETS,
    HOOKS,
    LOOPS,
    OPTIM_WRAPPER_CONSTRUCTORS,
    OPTIM_WRAPPERS,
    PARAM_SCHEDULERS,
    VISUALIZERS,
    Registry,
)
from mmengine.runner import Runner
from mmpretrain import visualization
from mmpretrain.models import ImageClassifier
from mmpretrain.registry import MODELS
from mmpretrain.utils import register_all_modules as register_mmpretrain
from mmseg.utils import register_all_modules as register_mmseg
from PIL import Image

from mmkd.engine.optim.constructor import keep_methods_apart
from mmkd.models import build_model
from mmkd.resilience import protect

register_mmseg(False)
register_mmpretrain(False)


@MODELS.register_module()
class WithLambda(ImageClassifier):
    """Has the weight that DenseCL's hook switches on."""

    loss_lambda = 0.5


CLASSES, IMAGES, SIDE = 4, 14, 16
PACK = [dict(type='LoadImageFromFile'), dict(type='PackInputs')]
SMALLER = [PACK[0], dict(type='Resize', scale=8), PACK[1]]
SEG_PACK = [PACK[0], dict(type='LoadAnnotations'), dict(type='PackSegInputs')]
VIT = dict(
    backbone=dict(
        _delete_=True,
        type='VisionTransformer',
        arch=dict(embed_dims=8, num_layers=2, num_heads=2, feedforward_channels=8),
        img_size=SIDE,
        patch_size=8,
        out_type='cls_token',
    ),
    neck=None,
    head=dict(
        _delete_=True,
        type='VisionTransformerClsHead',
        num_classes=CLASSES,
        in_channels=8,
        loss=dict(type='CrossEntropyLoss'),
    ),
)
MARGIN = dict(
    head=dict(
        _delete_=True,
        type='ArcFaceClsHead',
        num_classes=CLASSES,
        in_channels=16,
        loss=dict(type='CrossEntropyLoss'),
    )
)
CONVNEXT = dict(
    backbone=dict(
        _delete_=True,
        type='mmpretrain.ConvNeXt',
        stem_patch_size=2,
        arch=dict(depths=[1, 1, 1, 1], channels=[4, 4, 8, 8]),
        out_indices=[0, 1, 2, 3],
        drop_path_rate=0.0,
        gap_before_final_norm=False,
    ),
    decode_head=dict(in_channels=8, in_index=3),
)


def hook(*, seg: bool = False, **settings: Any) -> dict[str, Any]:
    return dict(hook=settings, seg=seg)


def dataset(outer: dict[str, Any], seg: bool = False) -> dict[str, Any]:
    return dict(outer=outer, seg=seg)


def decay(seg: bool, model: Any, **paramwise: Any) -> dict[str, Any]:
    return dict(constructor=paramwise, seg=seg, model=model)


STOPPED = dict(
    kd=dict(type='LogitsKD', weight=0.9, task_weight=0.1, stop=0),
    dual_head=dict(type='DualHead', stop=0),
)
SWITCH = dict(action_epoch=2, train_pipeline=SMALLER)
TRIES: dict[str, dict[str, Any]] = {
    # Hooks
    'CheckpointHook': hook(interval=1),
    'DistSamplerSeedHook': hook(),
    'EMAHook': hook(momentum=0.3),
    'mmpretrain.EMAHook': hook(momentum=0.3),
    'EarlyStoppingHook': hook(monitor='accuracy/top1', patience=1, min_delta=100.0),
    'EmptyCacheHook': hook(),
    'IterTimerHook': hook(),
    'LoggerHook': hook(interval=1),
    'NaiveVisualizationHook': hook(),
    'ParamSchedulerHook': hook(),
    'ProfilerHook': hook(
        by_epoch=False, profile_times=1, activity_with_cuda=False, on_trace_ready=None
    ),
    'RuntimeInfoHook': hook(),
    'SyncBuffersHook': hook(),
    'PrepareTTAHook': hook(seg=True, tta_cfg=dict(type='SegTTAModel')),
    'mmpretrain.DenseCLHook': dict(
        **hook(start_iters=2), model=dict(type='mmpretrain.WithLambda')
    ),
    'RFSearchHook': hook(
        mode='fixed_single_branch',
        config=dict(
            search=dict(
                step=0,
                max_step=1,
                search_interval=1,
                exp_rate=0.5,
                init_alphas=0.01,
                mmin=1,
                mmax=4,
                num_branches=2,
                skip_layer=[],
            ),
            structure={},
        ),
    ),
    'mmpretrain.ClassNumCheckHook': hook(),
    'mmpretrain.PreciseBNHook': hook(num_samples=8),
    'mmpretrain.PrepareProtoBeforeValLoopHook': hook(),
    'mmpretrain.SetAdaptiveMarginsHook': dict(
        **hook(), model=MARGIN, methods=dict(fitnet=dict(type='FitNet', stop=0))
    ),
    'mmpretrain.SimSiamHook': hook(fix_pred_lr=True, lr=0.01),
    'mmpretrain.SwitchRecipeHook': hook(
        schedule=[
            dict(
                **SWITCH,
                batch_augments=None,
                loss=dict(type='LabelSmoothLoss', label_smooth_val=0.2),
            )
        ]
    ),
    'mmpretrain.VisualizationHook': hook(enable=True, interval=1),
    'mmpretrain.WarmupParamHook': hook(
        param_name='loss_weight', module_name='head.loss_module', warmup_epochs=1
    ),
    'mmseg.SegVisualizationHook': hook(seg=True, draw=True, interval=1),
    # Constructors of optimiser wrappers
    'DefaultOptimWrapperConstructor': decay(
        False,
        None,
        custom_keys=dict(head=dict(lr_mult=10.0), methods=dict(lr_mult=0.0)),
        norm_decay_mult=0.0,
        bias_lr_mult=2.0,
    ),
    'mmpretrain.LearningRateDecayOptimWrapperConstructor': decay(
        False, VIT, layer_decay_rate=0.5
    ),
    'mmseg.ForceDefaultOptimWrapperConstructor': decay(
        True, None, custom_keys=dict(head=dict(lr_mult=10.0)), force_default_settings=1
    ),
    'mmseg.LayerDecayOptimizerConstructor': decay(
        True, CONVNEXT, layer_decay_rate=0.9, num_layers=6
    ),
    'mmseg.LearningRateDecayOptimizerConstructor': decay(
        True, CONVNEXT, decay_rate=0.9, decay_type='layer_wise', num_layers=6
    ),
    # Optimiser wrappers
    'OptimWrapper': dict(wrapper=dict(clip_grad=dict(max_norm=1.0))),
    'AmpOptimWrapper': dict(wrapper=dict(dtype='bfloat16', loss_scale=1.0)),
    # Samplers
    'DefaultSampler': dict(sampler=dict(shuffle=True, round_up=False)),
    'InfiniteSampler': dict(sampler=dict(shuffle=True), by_epoch=False),
    'mmpretrain.RepeatAugSampler': dict(sampler=dict(num_repeats=2)),
    'mmpretrain.SequentialSampler': dict(sampler={}),
    # Wrappers of data sets
    'RepeatDataset': dataset(dict(times=2)),
    'ConcatDataset': dataset({}),
    'ClassBalancedDataset': dataset(dict(oversample_thr=0.3)),
    'mmpretrain.KFoldDataset': dataset(dict(fold=0, num_splits=2)),
    'mmseg.MultiImageMixDataset': dataset(
        dict(pipeline=[dict(type='RandomFlip', prob=0.0), SEG_PACK[2]]), seg=True
    ),
    # Loops
    'EpochBasedTrainLoop': {},
    'IterBasedTrainLoop': dict(by_epoch=False),
    'ValLoop': dict(loop='val_cfg'),
    'TestLoop': dict(loop='test_cfg'),
    # Visualisers
    'Visualizer': dict(visualizer=True),
    'mmpretrain.UniversalVisualizer': dict(visualizer=True),
    'mmpretrain.SingleKPVisualizer': dict(visualizer=True),
    'mmseg.SegLocalVisualizer': dict(visualizer=True, seg=True),
    # Schedules
    'mmpretrain.CosineAnnealingWeightDecay': dict(schedule=dict(T_max=2, eta_min=0.0)),
    'mmseg.PolyLRRatio': dict(schedule=dict(eta_min_ratio=0.1, end=2), seg=True),
    **{
        f'{name}{value}': dict(schedule=settings)
        for name, settings in {
            'Constant': dict(factor=0.5, end=1),
            'CosineAnnealing': dict(T_max=2),
            'CosineRestart': dict(periods=[1, 1], restart_weights=[1, 0.5], eta_min=0),
            'Exponential': dict(gamma=0.5),
            'Linear': dict(start_factor=0.5, end=2),
            'MultiStep': dict(milestones=[1], gamma=0.1),
            'Poly': dict(power=0.9, end=2),
            'ReduceOnPlateau': dict(monitor='accuracy/top1', patience=0),
            'Step': dict(step_size=1),
        }.items()
        for value in ('LR', 'Momentum')
    },
    'OneCycleLR': dict(schedule=dict(eta_max=0.2, total_steps=2)),
}
if not hasattr(visualization, 'SingleKPVisualizer'):
    # Only onedl-mmpretrain has it.
    del TRIES['mmpretrain.SingleKPVisualizer']
LEFT_OUT = {
    'mmpretrain.SwAVHook': 'acts on a self-supervised algorithm',
    'mmpretrain.MultiTaskDataset': 'holds samples of several tasks',
    'mmpretrain.RetrievalTestLoop': 'acts on a retriever',
    'mmpretrain.RetrievalValLoop': 'acts on a retriever',
}
"""What is not tried, and why."""
NOT_INSTALLED = {
    'ApexOptimWrapper',
    'ColossalAIOptimWrapper',
    'DeepSpeedOptimWrapper',
    'NPUProfilerHook',
}
"""What needs a package or a processor that no stack of mmkd brings."""

REGISTRIES: list[Registry] = [
    HOOKS,
    OPTIM_WRAPPER_CONSTRUCTORS,
    OPTIM_WRAPPERS,
    DATA_SAMPLERS,
    LOOPS,
    VISUALIZERS,
]


def registered() -> Iterator[str]:
    """Everything of the installed packages, by scope and name."""
    for registry in [*REGISTRIES, PARAM_SCHEDULERS, DATASETS]:
        scopes = {'': registry, **registry.children}
        for scope, part in scopes.items():
            for name, kind in part.module_dict.items():
                abstract = name.endswith('ParamScheduler') or name == 'OneCycle'
                wrapper = hasattr(kind, 'full_init') and 'dataset' in (
                    kind.__init__.__code__.co_varnames
                )
                if scope == 'mmkd' or not kind.__module__.startswith('mm') or abstract:
                    continue
                concat = name in ('ConcatDataset', 'MultiTaskDataset')
                if registry is not DATASETS or wrapper or concat:
                    yield f'{scope}.{name}' if scope else name


def test_everything_registered_is_tried_or_left_out_for_a_reason() -> None:
    found = set(registered()) - NOT_INSTALLED
    assert found <= {*TRIES, *LEFT_OUT}, 'neither tried nor left out'
    assert len(LEFT_OUT.keys() & found) <= len(found) / 10


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images in folders by class, and maps of classes for them."""
    root = tmp_path_factory.mktemp('data')
    noise = np.random.default_rng(0)
    for number in range(IMAGES):
        for name in ('images', 'maps'):
            (root / name / str(number % CLASSES)).mkdir(parents=True, exist_ok=True)
        place = f'{number % CLASSES}/{number}'
        pixels = noise.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(root / f'images/{place}.png')
        labels = noise.integers(0, CLASSES, (SIDE, SIDE), dtype=np.uint8)
        Image.fromarray(labels).save(root / f'maps/{place}.png')
    return root


class Spy(Hook):
    """Notes what the training does."""

    priority = 'LOWEST'

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def before_train(self, runner: Runner) -> None:
        loader = runner.train_dataloader
        self.seen += [type(loader.dataset), type(loader.sampler), loader.batch_size]
        self.seen += [len(loader), loader.drop_last, len(loader.dataset)]
        self.seen.append([type(hook) for hook in runner.hooks if _is_theirs(hook)])
        names = {parameter: name for name, parameter in _student(runner)}
        for group in runner.optim_wrapper.optimizer.param_groups:
            if 'method' not in group:
                settings = {k: v for k, v in group.items() if isinstance(v, float)}
                self.seen += [[names[p] for p in group['params']], settings]

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Any = None,
    ) -> None:
        groups = runner.optim_wrapper.optimizer.param_groups[0]
        samples = data_batch['data_samples']
        self.seen += [
            (runner.epoch, runner.iter, batch_idx),
            [tuple(image.shape) for image in data_batch['inputs']],
            [Path(sample.img_path).name for sample in samples],
            [groups[key] for key in ('lr', 'momentum', 'weight_decay')],
            float(outputs.get('task_loss', outputs['loss'])),
        ]

    def after_val_epoch(self, runner: Runner, metrics: Any = None) -> None:
        self.seen.append(metrics)


def _is_theirs(hook: Hook) -> bool:
    if isinstance(hook, (CheckpointHook, EarlyStoppingHook)):
        # What protects a training replaces them by its own kinds.
        return False
    return not type(hook).__module__.startswith(('mmkd', __name__))


def _student(runner: Runner) -> Iterator[tuple[str, torch.nn.Parameter]]:
    for name, parameter in runner.model.named_parameters():
        if not name.startswith('methods.'):
            yield name, parameter


def config(folder: Path, name: str) -> Config:
    """A training of a tiny student with what is tried in it."""
    # What is built from it changes it.
    tried = copy.deepcopy(TRIES[name])
    seg, by_epoch = tried.get('seg', False), tried.get('by_epoch', True)
    data = dict(type='CustomDataset', data_root=str(folder / 'images'), pipeline=PACK)
    if seg:
        data = dict(
            type='BaseSegDataset',
            img_suffix='.png',
            seg_map_suffix='.png',
            data_prefix=dict(
                img_path=str(folder / 'images'), seg_map_path=str(folder / 'maps')
            ),
            metainfo=dict(classes=tuple('abcd')),
            pipeline=SEG_PACK,
        )
    widths = dict(
        depth=18,
        num_stages=2,
        strides=(1, 2),
        dilations=(1, 1),
        out_indices=(1,),
        stem_channels=8,
        base_channels=8,
    )
    model: dict[str, Any] = dict(
        type='ImageClassifier',
        data_preprocessor=dict(
            type='ClsDataPreprocessor', num_classes=CLASSES, mean=[127.0], std=[60.0]
        ),
        backbone=dict(type='ResNet_CIFAR', **widths),
        neck=dict(type='GlobalAveragePooling'),
        head=dict(
            type='LinearClsHead',
            num_classes=CLASSES,
            in_channels=16,
            loss=dict(type='CrossEntropyLoss'),
        ),
    )
    if seg:
        model = dict(
            type='EncoderDecoder',
            data_preprocessor=dict(
                type='SegDataPreProcessor',
                mean=[127.0] * 3,
                std=[60.0] * 3,
                size=(SIDE, SIDE),
            ),
            backbone=dict(type='ResNet', **widths, norm_cfg=dict(type='BN')),
            decode_head=dict(
                type='FCNHead',
                in_channels=16,
                in_index=0,
                channels=4,
                num_convs=1,
                concat_input=False,
                dropout_ratio=0.0,
                num_classes=CLASSES,
                norm_cfg=dict(type='BN'),
            ),
            test_cfg=dict(mode='whole'),
        )
    cfg = Config(
        dict(
            default_scope='mmseg' if seg else 'mmpretrain',
            model=model,
            train_dataloader=dict(
                batch_size=5,
                num_workers=0,
                sampler=dict(type='DefaultSampler', shuffle=True),
                dataset=data,
            ),
            val_dataloader=dict(
                batch_size=4,
                num_workers=0,
                sampler=dict(type='DefaultSampler', shuffle=False),
                dataset=data,
            ),
            val_evaluator=dict(type='IoUMetric' if seg else 'Accuracy'),
            train_cfg=dict(by_epoch=True, max_epochs=2)
            if by_epoch
            else dict(by_epoch=False, max_iters=6, val_interval=4),
            val_cfg={},
            optim_wrapper=dict(
                optimizer=dict(type='SGD', lr=0.05, momentum=0.9, weight_decay=1e-3)
            ),
            default_hooks={},
            log_processor=dict(by_epoch=by_epoch),
            randomness=dict(seed=3, deterministic=False),
            log_level='ERROR',
        )
    )
    cfg.test_dataloader, cfg.test_evaluator = cfg.val_dataloader, cfg.val_evaluator
    cfg.test_cfg = {}
    cfg.visualizer = dict(
        type=f'{"SegLocal" if seg else "Universal"}Visualizer',
        vis_backends=[dict(type='LocalVisBackend')],
    )
    if tried.get('model'):
        cfg.merge_from_dict(dict(model=tried['model']))
    if 'hook' in tried:
        cfg.custom_hooks = [dict(type=name, **tried['hook'])]
    if 'constructor' in tried:
        cfg.optim_wrapper.update(constructor=name, paramwise_cfg=tried['constructor'])
    if 'wrapper' in tried:
        cfg.optim_wrapper.update(type=name, **tried['wrapper'])
    if 'sampler' in tried:
        cfg.train_dataloader.sampler = dict(type=name, **tried['sampler'])
    if 'outer' in tried:
        inner: Any = dict(dataset=data)
        if name == 'ConcatDataset':
            inner = dict(datasets=[data, data])
        cfg.train_dataloader.dataset = dict(type=name, **inner, **tried['outer'])
        if name == 'mmseg.MultiImageMixDataset':
            data['pipeline'] = SEG_PACK[:2]
            cfg.train_dataloader.dataset.dataset = data
    if 'schedule' in tried:
        cfg.param_scheduler = dict(type=name, by_epoch=True, **tried['schedule'])
    if 'loop' in tried:
        cfg[tried['loop']] = dict(type=name)
    if 'visualizer' in tried:
        cfg.visualizer.type = name
    return cfg


def taught(name: str, cfg: Config, folder: Path) -> Config:
    """The same with a teacher, whose methods have stopped."""
    teacher = copy.deepcopy(cfg.model)
    checkpoint = folder / f'{cfg.model.type}.pth'
    plain = build_model({**teacher, '_scope_': cfg.default_scope})
    torch.save(plain.state_dict(), checkpoint)
    cfg.model = dict(
        type='mmkd.Distiller',
        student=cfg.model,
        teacher=dict(config=teacher, checkpoint=str(checkpoint)),
        methods=TRIES[name].get('methods', STOPPED),
    )
    cfg.default_hooks.update(
        prepare_methods=dict(type='mmkd.PrepareMethodsHook'),
        distill_schedule=dict(type='mmkd.DistillScheduleHook'),
        start_table=dict(type='mmkd.StartTableHook'),
        export_student=dict(type='mmkd.ExportStudentHook'),
    )
    keep_methods_apart(cfg)
    return cfg


def train(cfg: Config, work_dir: Path) -> tuple[list[Any], dict[str, torch.Tensor]]:
    """Train; what was seen, and the student's weights."""
    cfg.work_dir = cfg.experiment_name = str(work_dir)
    cfg.experiment_name = work_dir.as_posix().replace('/', '_')
    runner = Runner.from_cfg(cfg)
    spy = Spy()
    runner.register_hook(spy)
    runner.train()
    state = {name: value.detach().clone() for name, value in _student(runner)}
    return spy.seen, state


@pytest.mark.parametrize('name', TRIES)
def test_trains_as_under_mmengine(
    name: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Laying a config out for the log takes longer than training.
    monkeypatch.setattr(Config, 'pretty_text', '')
    expected, weights = train(config(folder, name), tmp_path / 'plain')
    protected = config(folder, name)
    protect(protected)
    distilled = taught(name, config(folder, name), tmp_path)
    protect(distilled)
    for cfg, kind in ((protected, 'protected'), (distilled, 'distilled')):
        seen, state = train(cfg, tmp_path / kind)
        assert seen == expected, kind
        assert state.keys() == weights.keys()
        for key, value in state.items():
            assert torch.equal(value, weights[key]), f'{kind}: {key}'
