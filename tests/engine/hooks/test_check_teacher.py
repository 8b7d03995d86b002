import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.runner import Runner
from tiny_models import Noise
from torch import Tensor
from two_processes import in_two_processes

from mmkd.engine.hooks import CheckTeacherHook
from mmkd.models.teachers import FrozenTeacher, RecordedTeacher
from mmkd.runs import read_run

pytestmark = pytest.mark.teacher_check
HOOKS = dict(
    prepare_methods=dict(type='mmkd.PrepareMethodsHook'),
    check_teacher=dict(type='mmkd.CheckTeacherHook'),
)
FITNET = dict(fitnet=dict(type='FitNet', stage=0))


class Nothing(BaseMetric):
    def process(self, data_batch: Any, data_samples: Any) -> None:
        self.results.append(0)

    def compute_metrics(self, results: list[int]) -> dict[str, float]:
        return {}


def logged(tiny: Any) -> str:
    """The logs of all trainings so far, in order."""
    files = sorted(tiny.folder.rglob('*.log'), key=lambda path: path.stat().st_mtime)
    return ''.join(path.read_text() for path in files)


def loader_of(batch: dict[str, Any]) -> dict[str, Any]:
    return dict(
        batch_size=3,
        num_workers=0,
        dataset=Noise(batch),
        sampler=dict(type='DefaultSampler', shuffle=False),
        collate_fn=dict(type='pseudo_collate'),
    )


@pytest.fixture
def start(tiny: Any, task: str) -> Callable[..., Runner]:
    """Train a distiller on noise of both tasks, with the teacher check."""

    def run(distiller: Any = None, name: str = 'run', **settings: Any) -> Runner:
        validation = dict(
            val_dataloader=loader_of(tiny.batch(task, seed=5, count=7)),
            val_cfg={},
            val_evaluator=[Nothing()],
        )
        if 'val_cfg' in settings:
            validation = {}
        model = tiny.distiller(task) if distiller is None else distiller
        given = {'log_level': 'INFO', 'default_hooks': HOOKS} | validation | settings
        runner = tiny.runner(model, task, name, **given)
        runner.train()
        return runner

    return run


def knows(monkeypatch: pytest.MonkeyPatch, change: Callable[[Tensor], Tensor]) -> None:
    """Make teachers predict a function of the labels."""

    def predict(self: FrozenTeacher, inputs: Tensor, samples: Any) -> Any:
        for sample in samples:
            if 'gt_label' in sample:
                sample.set_pred_label(change(sample.gt_label))
            else:
                labels = sample.gt_sem_seg.data
                known = change(labels.clamp(max=3))
                sample.set_data(dict(pred_sem_seg=type(sample.gt_sem_seg)(data=known)))
        return samples

    monkeypatch.setattr(FrozenTeacher, 'predict', predict)


def test_a_teacher_that_knows_all_has_100(
    start: Any, monkeypatch: pytest.MonkeyPatch, tiny: Any
) -> None:
    knows(monkeypatch, lambda labels: labels)
    start()
    assert '100.0 on 7 of 7 validation images' in logged(tiny)
    assert 'Usual causes' not in logged(tiny)


def test_one_that_says_the_same_of_all_is_refused(
    start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    knows(monkeypatch, torch.ones_like)
    with pytest.raises(ValueError, match=r'knows nothing about .*order of classes'):
        start()


def test_the_score_is_that_of_its_own_predictions(
    start: Any, tiny: Any, task: str
) -> None:
    teacher = tiny.teacher(tiny.model(task, width=8), 7)
    distiller = tiny.distiller(task, FITNET, teacher=teacher)
    data = distiller.teacher.model.data_preprocessor(
        tiny.batch(task, seed=5, count=7), False
    )
    with torch.no_grad():
        samples = distiller.teacher.model(**data, mode='predict')
    if task == 'images':
        expected = 100 * sum(bool(s.pred_label == s.gt_label) for s in samples) / 7
    else:
        both = [(s.gt_sem_seg.data, s.pred_sem_seg.data) for s in samples]
        labels, predicted = (torch.cat(part) for part in zip(*both, strict=True))
        pairs = [((predicted == c) & (labels != 255), labels == c) for c in range(4)]
        expected = 25 * sum(float((p & t).sum() / (p | t).sum()) for p, t in pairs)
    start(distiller)
    assert f' {expected:.1f} on 7 of 7' in logged(tiny)
    scores = read_run(tiny.folder / 'run').scalars.val
    key = 'accuracy/top1' if task == 'images' else 'mIoU'
    assert scores[f'teacher/{key}'][0] == pytest.approx(expected, abs=0.006)
    assert scores['teacher/images'] == {0: 7}


def test_a_recorded_teacher_has_the_score_of_its_record(
    tiny: Any, task: str
) -> None:
    runner = tiny.runner(tiny.distiller(task), task)
    recorded = object.__new__(RecordedTeacher)
    score = dict(metric='mIoU', key='mIoU', score=59.3, images=50)
    recorded.manifest = SimpleNamespace(teacher=dict(score=score))
    runner.model.teacher = recorded
    CheckTeacherHook().before_train(runner)
    # Old records do not have a key.
    score.pop('key')
    CheckTeacherHook().before_train(runner)
    scores = read_run(tiny.folder / 'run').scalars.val
    assert scores == {'teacher/mIoU': {0: 59.3}, 'teacher/images': {0: 50}}


def test_classes_in_another_order_are_the_students(
    start: Any, tiny: Any, task: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    knows(monkeypatch, lambda labels: 3 - labels)
    distiller = tiny.distiller(task)
    distiller.teacher.classes.channels = torch.tensor([3, 2, 1, 0])
    start(distiller)
    assert '100.0 on 7 of 7' in logged(tiny)


def test_one_whose_features_alone_are_used_may_know_nothing(
    start: Any, tiny: Any, task: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    knows(monkeypatch, torch.zeros_like)
    start(tiny.distiller(task, FITNET))
    assert 'The methods use only its features' in logged(tiny)


def test_looking_changes_nothing_of_the_training(
    start: Any, tiny: Any, task: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Build both before a runner sets a scope.
    distillers = [tiny.distiller(task) for _ in range(2)]
    knows(monkeypatch, lambda labels: labels)
    hooks = dict(HOOKS, check_teacher=dict(type='IterTimerHook'))
    states = [
        start(distiller, name, default_hooks=default).model.state_dict()
        for distiller, name, default in zip(
            distillers, ('with', 'without'), (HOOKS, hooks), strict=True
        )
    ]
    for name, value in states[0].items():
        assert torch.equal(value, states[1][name]), name


def test_a_resumed_training_is_not_checked_again(
    start: Any, tiny: Any, task: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    knows(monkeypatch, lambda labels: labels)
    first, second = tiny.distiller(task), tiny.distiller(task)
    start(first)
    knows(monkeypatch, torch.ones_like)
    before = logged(tiny)
    start(second, resume=True, train_cfg=dict(by_epoch=True, max_epochs=3))
    assert 'The teacher' not in logged(tiny).removeprefix(before)


def test_a_teacher_below_the_student_is_named_before(
    start: Any, tiny: Any, task: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    knows(monkeypatch, lambda labels: labels)
    distiller = tiny.distiller(task, FITNET)
    all_right = partial(FrozenTeacher.predict, distiller.teacher)
    knows(monkeypatch, torch.zeros_like)
    file = tiny.folder / 'student.pth'
    torch.save(dict(state_dict=tiny.own_state(distiller)), file)
    monkeypatch.setattr(distiller, 'predict', all_right, raising=False)
    start(distiller, load_from=str(file))
    assert 'student starts with' in logged(tiny)
    assert 'is worse than the student that it should teach (100.0)' in logged(tiny)


def test_without_validation_it_says_so(start: Any, tiny: Any) -> None:
    start(val_cfg=None)
    assert 'not checked: the config has no validation' in logged(tiny)


@pytest.mark.parametrize('held', ['no labels', 'labels of only one class'])
def test_labels_that_tell_nothing_are_named(
    start: Any, tiny: Any, task: str, held: str
) -> None:
    batch = tiny.batch(task, count=7)
    name = 'gt_label' if task == 'images' else 'gt_sem_seg'
    for sample in batch['data_samples']:
        if held == 'no labels':
            delattr(sample, name)
        elif task == 'images':
            sample.set_gt_label(1)
        else:
            sample.gt_sem_seg.data.fill_(1)
    start(val_dataloader=loader_of(batch))
    assert f'not checked: 7 validation images have {held}.' in logged(tiny)


@pytest.mark.parametrize('task', ['pixels'])
def test_pixels_that_the_head_ignores_do_not_count(
    start: Any, tiny: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    knows(monkeypatch, lambda labels: labels.clamp(min=1))
    student = tiny.segmentor()
    student['decode_head'].update(ignore_index=0)
    student['auxiliary_head'].update(ignore_index=0)
    student['data_preprocessor'].update(seg_pad_val=0)
    loader = loader_of(tiny.batch('pixels', seed=5, count=7, ignored=0))
    distiller = tiny.distiller(student=student)
    start(distiller, val_dataloader=loader, train_dataloader=loader)
    assert '100.0 on 7 of 7' in logged(tiny)


@pytest.mark.parametrize('task', ['pixels'])
@pytest.mark.parametrize('channels', [(1, 2), (2, 1), (1, 1)])
def test_one_channel_is_two_classes(
    start: Any, tiny: Any, channels: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    knows(monkeypatch, lambda labels: labels)
    models = []
    for count in channels:
        model = tiny.segmentor(classes=2)
        for name in ('decode_head', 'auxiliary_head'):
            loss = dict(type='mmseg.CrossEntropyLoss', use_sigmoid=count == 1)
            threshold = 0.5 if count == 1 else None
            head = dict(out_channels=count, threshold=threshold, loss_decode=loss)
            model[name].update(head)
        models.append(model)
    student, teacher = models
    batch = tiny.batch('pixels', count=8)
    for sample in batch['data_samples']:
        labels = sample.gt_sem_seg.data
        labels[labels < 4] %= 2
    loader = loader_of(batch)
    methods = dict(kd=dict(type='LogitsKD'))
    distiller = tiny.distiller(
        methods=methods, student=student, teacher=tiny.teacher(teacher)
    )
    start(distiller, val_dataloader=loader, train_dataloader=loader)
    assert '100.0 on 8 of 8' in logged(tiny)


@pytest.mark.parametrize('task', ['images'])
def test_two_processes_find_the_score_of_one(
    start: Any, tiny: Any, tmp_path: Path
) -> None:
    def work(rank: int) -> None:
        wrapper = dict(model_wrapper_cfg=dict(type='mmkd.AnyDeviceDataParallel'))
        start(distillers[1], 'two', launcher='pytorch', cfg=Config(wrapper))

    distillers = [tiny.distiller('images', FITNET) for _ in range(2)]
    start(distillers[0], 'one')
    in_two_processes(work, tmp_path)
    found = re.findall('teacher has .* of 7 validation images.*', logged(tiny))
    assert len(found) == 2
    assert found[0] == found[1]
