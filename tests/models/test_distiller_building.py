from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from torch import Tensor

from mmkd.models import Distiller, build_model

BOTH = dict(
    dual_head=dict(type='DualHead', weight=0.5, task_weight=2.0),
    kd=dict(type='LogitsKD', weight=0.3),
)


def stepped(distiller: Distiller, batch: dict[str, Any]) -> dict[str, Tensor]:
    wrapper = OptimWrapper(torch.optim.SGD(distiller.parameters(), lr=0.1))
    return distiller.train().train_step(batch, wrapper)


def test_methods_are_drawn_from_numbers_of_their_own(tiny: Any) -> None:
    """Neither by the teacher, nor from those of the student's weights."""
    heads = [
        tiny.distiller(teacher=tiny.teacher(tiny.segmentor(width=width))).methods
        for width in (8, 12)
    ]
    one, other = (methods['dual_head'].head.classifier for methods in heads)
    torch.manual_seed(0)
    build_model(tiny.segmentor())
    following = torch.nn.Conv2d(one.in_channels, one.out_channels, 1)
    assert one.weight.equal(other.weight)
    assert not one.weight.equal(following.weight)


def test_class_count_reaches_every_head(tiny: Any) -> None:
    student = tiny.segmentor(type='mmseg.CascadeEncoderDecoder', num_stages=2)
    first = student['decode_head']
    second = dict(first, type='mmseg.OCRHead', ocr_channels=4)
    for name in ('num_convs', 'concat_input'):
        del second[name]
    student['decode_head'] = [first, second]
    teacher = tiny.teacher(tiny.segmentor(width=8), num_classes=3)

    distiller = tiny.distiller(student=student, teacher=teacher, num_classes=3)

    one, other = distiller, distiller.teacher.model
    heads = [*one.decode_head, one.auxiliary_head, other.decode_head]
    for head in [*heads, other.auxiliary_head]:
        assert head.conv_seg.out_channels == head.num_classes == 3
    assert distiller.student_view.classifier == 'decode_head.1.conv_seg'
    assert distiller.methods['dual_head'].head.classifier.out_channels == 3


def test_given_preprocessor_is_the_students(tiny: Any) -> None:
    student = tiny.classifier()
    preprocessor = student.pop('data_preprocessor')
    preprocessor |= dict(
        num_classes=4, batch_augments=dict(augments=[dict(type='Mixup', alpha=1.0)])
    )
    given = dict(preprocessor)

    distiller = tiny.distiller(
        'images',
        student=student,
        teacher=tiny.teacher(tiny.classifier(classes=6)),
        data_preprocessor=given,
        num_classes=6,
    )

    assert distiller.data_preprocessor.num_classes == 6
    assert given == preprocessor
    assert torch.isfinite(stepped(distiller, tiny.batch('images'))['loss'])


@pytest.mark.parametrize(
    ('cfg', 'message'),
    [
        (
            dict(type='DualHed'),
            r"methods\.mine .*type 'DualHed'\. Did you mean 'DualHead'",
        ),
        (dict(type='Quux'), r"'Quux'\. Known: .*DualHead, .*LogitsKD"),
        (dict(type='mmseg.DualHead'), r"unknown type 'mmseg\.DualHead'"),
        (dict(weight=0.5), r'methods\.mine has no type\. .*misspelt'),
    ],
)
def test_unknown_method_is_refused(
    tiny: Any, cfg: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        tiny.distiller('images', dict(mine=cfg))


def test_name_of_a_method_must_not_mean_loss(tiny: Any) -> None:
    with pytest.raises(ValueError, match=r"methods\.kl_loss.*'loss'"):
        tiny.distiller('images', dict(kl_loss=dict(type='LogitsKD')))


@pytest.mark.parametrize('name', ['', 'a.b', 'keys', 'train', 'type'])
def test_a_name_that_no_module_can_have(tiny: Any, name: str) -> None:
    with pytest.raises(ValueError, match=f"cannot be called '{name}'"):
        tiny.distiller('images', {name: dict(type='LogitsKD')})


def test_methods_and_teacher_are_dicts(tiny: Any) -> None:
    methods: Any = [dict(type='LogitsKD')]
    with pytest.raises(TypeError, match='model: methods must be a dict'):
        tiny.distiller('images', methods)
    with pytest.raises(TypeError, match=r"teacher must be a dict, got 'teacher\.pth'"):
        tiny.distiller('images', teacher='teacher.pth')


def test_preprocessors_of_other_lengths_contradict(tiny: Any) -> None:
    with pytest.raises(ValueError, match=r'data_preprocessor\.mean is \[1\.0, 2\.0\]'):
        tiny.distiller('images', data_preprocessor=dict(mean=[1.0, 2.0]))


def test_label_that_is_no_class_names_the_image(tiny: Any) -> None:
    batch = tiny.batch('pixels')
    batch['data_samples'][1].gt_sem_seg.data[0, 0, 0] = 4

    with pytest.raises(ValueError, match=r'labels \[4\] of street_1\.png'):
        stepped(tiny.distiller(), batch)


def test_labels_are_not_looked_at_in_evaluation(tiny: Any) -> None:
    distiller, batch = tiny.distiller().eval(), tiny.batch('pixels')
    batch['data_samples'][1].gt_sem_seg.data[0, 0, 0] = 4

    assert len(distiller.val_step(batch)) == 2


def test_methods_are_changed_by_inheritance(tiny: Any) -> None:
    Config(dict(methods=BOTH)).dump(tiny.folder / 'base.py')
    child = tiny.folder / 'child.py'
    child.write_text(
        "_base_ = 'base.py'\n"
        'methods = dict(\n'
        '    dual_head=dict(weight=4.0),\n'
        "    second=dict(type='DualHead', head=None),\n"
        "    kd=dict(_delete_=True, type='LogitsKD'))\n"
    )

    distiller = tiny.distiller('images', Config.fromfile(child).methods)

    built = distiller.methods
    assert list(built) == ['dual_head', 'kd', 'second']
    assert (built['dual_head'].weight, built['dual_head'].task_weight) == (4.0, 2.0)
    assert built['kd'].weight == 0.9
    losses = stepped(distiller, tiny.batch('images'))
    assert {f'distill.{name}.loss' for name in built} < set(losses)


@pytest.mark.parametrize('nothing', ['None', 'dict(_delete_=True)'])
def test_one_method_is_dropped_by_inheritance(tiny: Any, nothing: str) -> None:
    Config(dict(methods=BOTH)).dump(tiny.folder / 'base.py')
    child = tiny.folder / 'child.py'
    child.write_text(f"_base_ = 'base.py'\nmethods = dict(kd={nothing})\n")

    distiller = tiny.distiller('images', Config.fromfile(child).methods)

    assert list(distiller.methods) == ['dual_head']
