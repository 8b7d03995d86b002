from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from mmkd.models.discovery import OUTPUT
from mmkd.models.teachers.side_stream import SideStream


def test_on_a_processor_it_changes_nothing(tiny: Any, task: str) -> None:
    losses = []
    for stream in (False, True):
        teacher = tiny.teacher(tiny.model(task)) | dict(stream=stream)
        kd = dict(kd=dict(type='LogitsKD'))
        model = tiny.distiller(task, kd, teacher=teacher)
        data = model.data_preprocessor(tiny.batch(task), training=True)
        losses.append(model(**data, mode='loss')['distill.kd.loss'])
    assert losses[0].equal(losses[1])


class Stream:
    """Records the calls it gets."""

    def __init__(self, name: str, said: list[str]) -> None:
        self.name, self.said, self.device = name, said, 'gpu'

    def wait_stream(self, other: Any) -> None:
        self.said.append(f'{self.name} waits for {other.name}')


class OnGPU(SimpleNamespace):
    """A stand-in for a tensor, as used with streams."""

    is_cuda, device = True, 'gpu'

    def record_stream(self, stream: Stream) -> None:
        self.said.append(f'{self.name} is read by {stream.name}')


def test_both_streams_wait_where_they_must(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    current, side = Stream('student', said), Stream('teacher', said)

    @contextmanager
    def within(stream: Stream) -> Iterator[None]:
        said.append(f'{stream.name} begins')
        yield
        said.append(f'{stream.name} ends')

    monkeypatch.setattr(torch.cuda, 'current_stream', lambda device: current)
    monkeypatch.setattr(torch.cuda, 'Stream', lambda device: side)
    monkeypatch.setattr(torch.cuda, 'stream', within)
    beside = SideStream()

    with beside.beside(OnGPU(name='image', said=said)):
        said.append('forward')
    said.append('loss of the student')
    beside.join([OnGPU(name='logits', said=said)])

    assert said == [
        'teacher waits for student',
        'image is read by teacher',
        'teacher begins',
        'forward',
        'teacher ends',
        'loss of the student',
        'student waits for teacher',
        'logits is read by student',
    ]


def test_nothing_is_waited_for_before_the_teacher_ran(tiny: Any) -> None:
    SideStream().join([torch.zeros(1)])
    model = tiny.distiller('images', dict(kd=dict(type='LogitsKD')))
    model.teacher.wait_for({OUTPUT: torch.zeros(1)})
