from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from mmkd.models import FrozenTeacher, build_model
from mmkd.models.discovery import OUTPUT
from mmkd.models.teachers import classes as source

NAMES = ['cat', 'dog', 'eel', 'fox']
ORDER = [2, 0, 3, 1]
KEYS = dict(images='head.fc', pixels='decode_head.conv_seg')
METHODS: dict[str, Any] = dict(
    kd=dict(type='LogitsKD'),
    dkd=dict(type='DKD'),
    dist=dict(type='DIST'),
    dual=dict(type='DualHead'),
    multi=dict(type='MultiHead', stages=(0,)),
    fitnet=dict(type='FitNet', stage=0),
)
PIXELS: dict[str, Any] = dict(cwd=dict(type='CWD'), skd=dict(type='SKD'))


def saved(
    tiny: Any, task: str, names: Sequence[str] | None, order: Sequence[int] = range(4)
) -> dict[str, Any]:
    """A teacher with these classes, in this order."""
    config = tiny.model(task, width=8)
    torch.manual_seed(1)
    state = build_model(config).state_dict()
    for kind in ('weight', 'bias'):
        key = f'{KEYS[task]}.{kind}'
        state[key] = torch.randn(4, *state[key].shape[1:])[list(order)]
    meta = {} if names is None else dict(dataset_meta=dict(classes=tuple(names)))
    path = Path(tiny.folder, f'{"".join(map(str, order))}_{names}.pth')
    torch.save(dict(state_dict=state, meta=meta), path)
    return dict(config=config, checkpoint=str(path))


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(source, 'print_log', lambda text, **_: lines.append(text))
    return lines


@pytest.mark.parametrize(
    'override', [None, 'names', 'numbers'], ids=['checkpoint', 'names', 'numbers']
)
def test_losses_do_not_depend_on_the_teachers_order(
    tiny: Any, task: str, override: str | None, said: list[str]
) -> None:
    methods = METHODS | (PIXELS if task == 'pixels' else {})
    names = [NAMES[place] for place in ORDER]
    own = tiny.distiller(task, methods, teacher=saved(tiny, task, NAMES))
    if override is None:
        teacher = saved(tiny, task, names, ORDER)
    else:
        teacher = saved(tiny, task, None, ORDER)
        by_number = [ORDER.index(place) for place in range(4)]
        teacher['classes'] = names if override == 'names' else by_number
    other = tiny.distiller(task, methods, teacher=teacher)
    losses = []
    for distiller in (own, other):
        distiller.train().teacher.classes.match(NAMES)
        data = distiller.data_preprocessor(tiny.batch(task), True)
        losses.append(distiller(**data, mode='loss'))

    for key, value in losses[0].items():
        torch.testing.assert_close(losses[1][key], value, rtol=1e-6, atol=1e-6)
    assert len(said) == (override != 'numbers')


def test_matching_again_changes_nothing(tiny: Any, task: str) -> None:
    frozen = FrozenTeacher(**saved(tiny, task, [NAMES[k] for k in ORDER], ORDER))
    images = torch.randn(2, 3, 32, 32)
    frozen.classes.match(NAMES)
    once = frozen(images, [OUTPUT, frozen.view.logits])
    frozen.classes.match(NAMES)
    again = frozen(images, [OUTPUT, frozen.view.logits])

    plain = FrozenTeacher(**saved(tiny, task, NAMES))
    for values in (once, again):
        for value in values.values():
            torch.testing.assert_close(value, plain(images, [OUTPUT])[OUTPUT])


def test_same_is_not_compared(tiny: Any, task: str) -> None:
    teacher = saved(tiny, task, NAMES[::-1]) | dict(classes='same')
    frozen = FrozenTeacher(**teacher)

    frozen.classes.match(NAMES)

    assert frozen.classes.channels is None
    assert frozen.classes.order == "not checked: teacher.classes is 'same'"


@pytest.mark.parametrize(
    ('names', 'training', 'order'),
    [
        (None, NAMES, "not checked: the teacher's checkpoint names no classes"),
        (NAMES, None, 'not checked: the training set names no classes'),
        (NAMES, (), 'not checked: the training set names no classes'),
        ('3210', range(4), "compared: the teacher's logits are permuted"),
        (NAMES[:3], NAMES, "not checked: the teacher's checkpoint names 3 classes"),
        (NAMES, NAMES, "compared: it is the training set's"),
        (NAMES[::-1], NAMES, "compared: the teacher's logits are permuted"),
    ],
)
def test_what_is_known_of_the_order(
    tiny: Any, names: Any, training: Any, order: str
) -> None:
    frozen = FrozenTeacher(**saved(tiny, 'images', names))
    assert frozen.classes.order.startswith('not checked: ')

    frozen.classes.match(training)

    assert frozen.classes.order.startswith(order)


@pytest.mark.parametrize('classes', [['Eel', 'cat'], [2, 0]])
def test_some_of_the_teachers_classes(tiny: Any, task: str, classes: Any) -> None:
    student, teacher = tiny.model(task, classes=2), saved(tiny, task, NAMES)
    methods: Any = dict(kd=dict(type='LogitsKD'), dual=dict(type='DualHead'))
    whole = tiny.distiller(task, methods, student=student, teacher=teacher).train()
    offer = r"among them: teacher=dict\(classes=\['eel', 'cat'\]\)"
    with pytest.raises(ValueError, match=offer):
        whole.teacher.classes.match(['Eel', 'cat'])
    with pytest.raises(ValueError, match=r'elk, ox\. Teacher: cat, dog, eel, fox\.'):
        whole.teacher.classes.match(['elk', 'ox'])
    batch = tiny.batch(task)
    for sample in batch['data_samples']:
        labels = sample.gt_label if task == 'images' else sample.gt_sem_seg.data
        labels[labels != 255] %= 2
    data = whole.data_preprocessor(batch, True)
    with pytest.raises(ValueError, match='2 classes and the teacher 4'):
        whole(**data, mode='loss')
    nameless = saved(tiny, task, None)
    with pytest.raises(ValueError, match='2 classes and the teacher 4'):
        tiny.distiller(task, methods, student=student, teacher=nameless)

    distiller = tiny.distiller(
        task, methods, student=student, teacher=teacher | dict(classes=classes)
    )

    images = torch.randn(2, 3, 32, 32)
    full = FrozenTeacher(**teacher)(images, [OUTPUT])[OUTPUT]
    frozen = distiller.teacher
    torch.testing.assert_close(frozen(images, [OUTPUT])[OUTPUT], full[:, [2, 0]])
    if isinstance(classes[0], str):
        frozen.classes.match(['cat', 'eel'])
        torch.testing.assert_close(frozen(images, [OUTPUT])[OUTPUT], full[:, [0, 2]])


@pytest.mark.parametrize(
    ('classes', 'names', 'message'),
    [
        ('cat', NAMES, r"must be 'same', or a list .*, got 'cat'"),
        ([], NAMES, r'got \[\]'),
        (['cat', 2], NAMES, r'got \[.cat., 2\]'),
        ([0, 4], NAMES, r'channels of the teacher, 0 to 3, got \[0, 4\]'),
        (['cat', 'eel'], ['cat', 'cat', 'eel', 'fox'], "several classes 'cat'"),
        (['cat', 'dgo'], NAMES, r"names no class 'dgo'\. Did you mean 'dog'\?"),
        (['cat', 'dog'], None, r'2 names, but the teacher has 4 channels'),
    ],
)
def test_settings_that_are_no_classes(
    tiny: Any, classes: Any, names: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        FrozenTeacher(**saved(tiny, 'images', names), classes=classes)


def test_one_channel_cannot_change_places(tiny: Any) -> None:
    config = tiny.segmentor(classes=2)
    config['decode_head'].update(out_channels=1, threshold=0.5)
    teacher = tiny.teacher(config)
    state = torch.load(teacher['checkpoint'])
    meta = dict(dataset_meta=dict(classes=('vessel', 'background')))
    torch.save(state | dict(meta=meta), teacher['checkpoint'])
    frozen = FrozenTeacher(**teacher)

    frozen.classes.match(['Vessel', 'Background'])
    assert frozen.classes.channels is None
    with pytest.raises(ValueError, match='A single channel cannot be permuted'):
        frozen.classes.match(['background', 'vessel'])
