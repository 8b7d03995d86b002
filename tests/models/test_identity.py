"""A network distilled from itself has nothing to learn, whatever its head."""

import copy
from collections.abc import Mapping
from typing import Any

import heads
import mmpretrain.models
import mmseg.models
import pytest
import torch
from torch import Tensor, nn

from mmkd.models import Tap, build_model
from mmkd.models.discovery import OUTPUT, ModelView

LOGITS = dict(
    kd=dict(type='LogitsKD'),
    dkd=dict(type='DKD'),
    dist=dict(type='DIST'),
    one_head=dict(type='DualHead', head=None),
)
FREE = {
    'pixels': LOGITS
    | dict(cwd=dict(type='CWD'), skd=dict(type='SKD'), ifvd=dict(type='IFVD')),
    'images': LOGITS | dict(rkd=dict(type='RKD')),
}
TRAINED = dict(
    hint=dict(type='FitNet'),
    heads=dict(type='MultiHead', stages=(0, 1)),
    review=dict(type='ReviewKD'),
    dual_head=dict(type='DualHead'),
)
NO_LAYER = {
    'ArcFaceClsHead': 'head',
    'CSRAClsHead': 'head',
    'DeiTClsHead': 'head',
    'IterativeDecodeHead': 'decode_head.kernel_update_head.1',
    'SegmenterMaskTransformerHead': 'decode_head',
}
"""Heads whose logits no layer outputs, and where they are captured."""


def methods_of(task: str, name: str) -> dict[str, Any]:
    methods = copy.deepcopy(FREE[task] | TRAINED)
    if task == 'images':
        methods['cc'] = dict(type='CC')
    if name in heads.NO_SOFTMAX:
        for softmax in ('kd', 'dkd', 'dist', 'heads'):
            del methods[softmax]
    if name in NO_LAYER:
        del methods['dual_head'], methods['review']
        for feature in {'skd', 'ifvd', 'rkd', 'cc'} & set(methods):
            methods[feature]['stage'] = 0
    return methods


def only_what_is_no_statistic_trains(model: nn.Module) -> None:
    model.eval()
    for module in model.modules():
        kind = type(module).__name__
        if not ('Norm' in kind or 'Drop' in kind):
            module.training = True


@pytest.mark.parametrize(('task', 'name'), heads.NAMES)
def test_a_network_has_nothing_to_learn_from_itself(
    tiny: Any, task: str, name: str
) -> None:
    config = getattr(heads, task)(tiny, name)
    # To some heads, rounding unlike the student's is a difference.
    teacher = tiny.teacher(config) | dict(fold=False, channels_last=False)
    distiller = tiny.distiller(
        task, methods_of(task, name), student=config, teacher=teacher
    )
    weights = torch.load(teacher['checkpoint'], weights_only=True)['state_dict']
    distiller.load_state_dict(weights, strict=False)
    distiller.eval()
    if name in heads.NEEDS_TRAINING:
        only_what_is_no_statistic_trains(distiller)
    seen: dict[str, Any] = {}
    for key, method in distiller.named_methods.items():
        noted(key, method, seen)

    data = distiller.data_preprocessor(heads.batch_of(tiny, task, name), True)
    losses = distiller(**data, mode='loss')

    own = [p for p in distiller.parameters() if p.requires_grad]
    own = own[: len(own) - sum(1 for p in distiller.methods.parameters())]
    for key in FREE[task].keys() & seen.keys():
        loss = losses[f'distill.{key}.loss']
        gradients = torch.autograd.grad(loss, own, allow_unused=True, retain_graph=True)
        assert abs(loss.item()) < 2e-5, key
        assert all(g.abs().max() < 1e-4 for g in gradients if g is not None), key
    for key in TRAINED.keys() & seen.keys() - {'dual_head'} | {'cc'} & seen.keys():
        method = distiller.named_methods[key]
        for tap, other in zip(
            method.taps_in_student, method.taps_in_teacher, strict=True
        ):
            pair = seen[key][0][tap], seen[key][1][other]
            torch.testing.assert_close(*pair, rtol=1e-4, atol=1e-4)
    view = distiller.student_view
    if name in NO_LAYER:
        assert view.logits == Tap(NO_LAYER[name], 'forward')
        with pytest.raises(ValueError, match='no recognisable main classifier'):
            assert view.classifier
    else:
        student, outputs = seen['dual_head']
        layer = distiller.get_submodule(view.classifier)
        logits = layer(student[view.feature])
        torch.testing.assert_close(logits, outputs[OUTPUT], rtol=1e-4, atol=1e-4)


def noted(key: str, method: Any, seen: dict[str, Any]) -> None:
    loss = method.loss

    def noting(
        student: Mapping[Tap, Tensor], teacher: Mapping[Tap, Tensor], targets: Any
    ) -> dict[str, Tensor]:
        seen[key] = student, teacher
        return loss(student, teacher, targets)

    method.loss = noting


def test_every_head_is_tried_or_left_out_for_a_reason() -> None:
    tried = {f'mmseg.{name}' for name in heads.PIXELS}
    tried |= {f'mmpretrain.{name}' for name in heads.IMAGES}
    registered = {
        f'{library}.{name}'
        for library, models, room in (
            ('mmpretrain', mmpretrain, 'models.heads'),
            ('mmseg', mmseg, 'models.decode_heads'),
        )
        for name, kind in models.registry.MODELS.module_dict.items()
        if kind.__module__.startswith(f'{library}.{room}')
    }
    assert registered <= tried | heads.LEFT_OUT.keys()
    assert not tried & heads.LEFT_OUT.keys()


def test_several_tasks_at_once_are_refused(tiny: Any) -> None:
    config = tiny.classifier()
    task = dict(type='LinearClsHead', num_classes=4)
    config['head'] = dict(
        type='mmpretrain.MultiTaskHead', task_heads=dict(a=task, b=task), in_channels=8
    )
    with pytest.raises(ValueError, match=r'returns a dict .* cannot distil'):
        assert ModelView(build_model(config)).num_classes
