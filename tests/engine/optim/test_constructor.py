"""The student's parameter groups are those it has without mmkd."""

import copy
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper, OptimWrapperDict, build_optim_wrapper
from mmengine.registry import OPTIM_WRAPPER_CONSTRUCTORS
from tiny_models import tiny
from torch import nn

from mmkd.engine.optim.constructor import NAME, keep_methods_apart
from mmkd.models import build_model

__all__ = ['tiny']

KEYS = dict(
    custom_keys={
        'head': dict(lr_mult=10.0),
        'backbone': dict(lr_mult=0.1, decay_mult=0),
    }
)
NORMS = dict(bias_lr_mult=2.0, bias_decay_mult=0.0, norm_decay_mult=0.0)
LAYERS = dict(num_layers=6, decay_rate=0.9)
METHODS = dict(
    dual_head=dict(type='DualHead', head=dict(type='MLPClassifier')),
    kd=dict(type='LogitsKD'),
    heads=dict(type='MultiHead', stages=('backbone',), teacher_stages=(1,)),
)
CONVNEXT = dict(
    type='mmseg.EncoderDecoder',
    data_preprocessor=dict(type='mmseg.SegDataPreProcessor'),
    backbone=dict(
        type='mmpretrain.ConvNeXt',
        arch=dict(depths=[1, 1, 1, 1], channels=[4, 4, 8, 8]),
        out_indices=(3,),
        gap_before_final_norm=False,
    ),
    decode_head=dict(
        type='mmseg.FCNHead',
        in_channels=8,
        in_index=0,
        channels=6,
        num_convs=1,
        concat_input=False,
        num_classes=4,
        norm_cfg=dict(type='BN'),
        align_corners=False,
    ),
    test_cfg=dict(mode='whole'),
)
BEIT = dict(
    CONVNEXT,
    backbone=dict(
        type='mmseg.BEiT',
        img_size=32,
        patch_size=8,
        embed_dims=8,
        num_layers=2,
        num_heads=2,
        out_indices=(1,),
    ),
)
VIT = dict(
    type='mmpretrain.ImageClassifier',
    data_preprocessor=dict(type='mmpretrain.ClsDataPreprocessor'),
    backbone=dict(
        type='mmpretrain.VisionTransformer',
        arch=dict(embed_dims=8, num_layers=2, num_heads=2, feedforward_channels=16),
        img_size=32,
        patch_size=8,
        out_type='avg_featmap',
    ),
    head=dict(type='mmpretrain.LinearClsHead', num_classes=4, in_channels=8),
)
CASES: dict[str, tuple[Any, dict[str, Any]]] = {
    'nothing': ('images', {}),
    'nothing per pixel': ('pixels', {}),
    'custom keys': ('images', dict(paramwise_cfg=KEYS)),
    'custom keys per pixel': ('pixels', dict(paramwise_cfg=KEYS)),
    'norms and biases': ('pixels', dict(paramwise_cfg=NORMS)),
    'all of them': ('images', dict(paramwise_cfg=KEYS | NORMS)),
    'ConvNeXt by layers': (
        CONVNEXT,
        dict(
            constructor='mmseg.LearningRateDecayOptimizerConstructor',
            paramwise_cfg=dict(LAYERS, decay_type='layer_wise'),
        ),
    ),
    'ConvNeXt by stages': (
        CONVNEXT,
        dict(
            constructor='mmseg.LearningRateDecayOptimizerConstructor',
            paramwise_cfg=dict(LAYERS, decay_type='stage_wise'),
        ),
    ),
    'BEiT': (
        BEIT,
        dict(
            constructor='mmseg.LayerDecayOptimizerConstructor',
            paramwise_cfg=dict(num_layers=2, layer_decay_rate=0.9),
        ),
    ),
    'ViT': (
        VIT,
        dict(
            constructor='mmpretrain.LearningRateDecayOptimWrapperConstructor',
            paramwise_cfg=dict(layer_decay_rate=0.75) | NORMS,
        ),
    ),
}


def settings(**changes: Any) -> dict[str, Any]:
    optimizer = dict(type='AdamW', lr=0.01, weight_decay=0.05)
    return dict(type='OptimWrapper', optimizer=optimizer) | copy.deepcopy(changes)


def apart(wrapper: dict[str, Any]) -> dict[str, Any]:
    cfg = Config(dict(model=dict(student={}), optim_wrapper=wrapper))
    keep_methods_apart(cfg)
    return cfg.optim_wrapper


def groups_of(model: nn.Module, wrapper: Any) -> list[dict[str, Any]]:
    """The groups, with parameters replaced by their names."""
    names = {id(p): name for name, p in model.named_parameters()}
    return [
        {**group, 'params': [names[id(p)] for p in group['params']]}
        for group in wrapper.optimizer.param_groups
    ]


@pytest.mark.parametrize('case', CASES)
def test_the_students_groups_are_those_of_the_plain_student(
    tiny: Any, case: str
) -> None:
    config, changes = CASES[case]
    task = config if isinstance(config, str) else 'pixels'
    if isinstance(config, str):
        config = tiny.model(config)
    elif config is VIT:
        task = 'images'
    methods: dict[str, Any] = copy.deepcopy(METHODS)
    if config is VIT:
        # The whole backbone returns vectors.
        methods['heads']['stages'] = ('backbone.layers.1',)
    student = build_model(config)
    distiller = tiny.distiller(task, methods, student=config)

    expected = groups_of(student, build_optim_wrapper(student, settings(**changes)))
    found = groups_of(
        distiller, build_optim_wrapper(distiller, apart(settings(**changes)))
    )

    assert found[: len(expected)] == expected
    added = found[len(expected) :]
    assert [group.pop('method') for group in added] == ['dual_head', 'heads']
    for name, group in zip(('dual_head', 'heads'), added, strict=True):
        parameters = distiller.methods[name].named_parameters()
        own = [f'methods.{name}.{n}' for n, _ in parameters]
        assert group['params'] == own
        assert (group['lr'], group['weight_decay']) == (0.01, 0.05)


def test_schedulers_move_all_groups_alike(tiny: Any) -> None:
    distiller = tiny.distiller('images', METHODS | dict(heads=None))
    optim = apart(settings(paramwise_cfg=KEYS))
    runner = tiny.runner(
        distiller,
        optim_wrapper=optim,
        param_scheduler=dict(type='StepLR', step_size=1, gamma=0.5, by_epoch=True),
    )

    runner.train()

    groups = runner.optim_wrapper.optimizer.param_groups
    assert [group.get('method') for group in groups][-1] == 'dual_head'
    ratios = [group['lr'] / group['initial_lr'] for group in groups]
    assert ratios == pytest.approx([0.5] * len(groups))


def test_a_run_resumes_with_its_groups(tiny: Any) -> None:
    def run(**changes: Any) -> Any:
        distiller = tiny.distiller('images')
        runner = tiny.runner(
            distiller, optim_wrapper=apart(settings(paramwise_cfg=KEYS)), **changes
        )
        runner.train()
        return distiller.state_dict()

    whole = run(name='whole')
    last = str(tiny.folder / 'whole' / 'epoch_1.pth')
    resumed = run(name='resumed', load_from=last, resume=True)

    for key, value in whole.items():
        assert torch.equal(resumed[key], value), key


@pytest.mark.parametrize('changes', [{}, dict(paramwise_cfg=KEYS), CASES['ViT'][1]])
def test_a_config_is_changed_once(changes: dict[str, Any]) -> None:
    once = apart(settings(**changes))
    twice = apart(copy.deepcopy(once))

    assert once['constructor'] == NAME
    assert twice == once
    kind = changes.get('constructor', 'DefaultOptimWrapperConstructor')
    assert once['paramwise_cfg'] == dict(
        changes.get('paramwise_cfg', {}), constructor=kind
    )


def test_other_trainings_are_left_alone(tiny: Any) -> None:
    cfg = Config(dict(model=tiny.classifier(), optim_wrapper=settings()))
    before = copy.deepcopy(cfg.optim_wrapper)

    keep_methods_apart(cfg)
    keep_methods_apart(Config(dict(model=dict(student={}))))

    assert cfg.optim_wrapper == before


def test_a_plain_student_may_be_built_by_it(tiny: Any) -> None:
    student = build_model(tiny.classifier())
    optim = settings(paramwise_cfg=KEYS)

    found = groups_of(student, build_optim_wrapper(student, apart(optim)))

    assert found == groups_of(student, build_optim_wrapper(student, optim))


class Several:
    """Builds two optimisers."""

    def __init__(self, optim_wrapper_cfg: Any, paramwise_cfg: Any = None) -> None:
        self.cfg = optim_wrapper_cfg

    def __call__(self, model: nn.Module) -> Any:
        parts = (model.backbone, model.head)
        return OptimWrapperDict(
            **{
                str(number): OptimWrapper(torch.optim.SGD(part.parameters(), lr=0.1))
                for number, part in enumerate(parts)
            }
        )


def test_several_optimisers_are_refused(
    tiny: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    registered = OPTIM_WRAPPER_CONSTRUCTORS.module_dict
    monkeypatch.setitem(registered, 'Several', Several)
    distiller = tiny.distiller('images')

    with pytest.raises(TypeError, match='Several builds a OptimWrapperDict'):
        build_optim_wrapper(distiller, apart(settings(constructor='Several')))
    assert 'methods' in dict(distiller.named_children())
