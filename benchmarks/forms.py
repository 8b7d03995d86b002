"""The forms of a training step that take turns in the rows of steps."""

from collections.abc import Callable, Iterable
from functools import cached_property, partial
from typing import Any

import torch

from benchmarks.pairs import plain_teacher
from benchmarks.rounds import Form, now, timed
from benchmarks.training import Training, Workshop
from mmkd.models.teachers.recorded_samples import AddRecorded

USUAL = 'usual loop'
STUDENT = 'student alone'
TEACHER = "KD's teacher"
BACKWARD = 'backward pass'
KD, DHKD, MHKD = 'KD', 'DHKD', 'MHKD'
ALIGNED = 'DHKD, aligned'
KD_AMP, DHKD_AMP = 'KD --amp', 'DHKD --amp'
STUDENT_AMP = 'student alone --amp'
RECORDED, RECORDED_AMP = 'KD --recorded', 'KD --recorded --amp'
COMPILED, COMPILED_AMP = 'KD, compiled teacher', 'KD, compiled teacher --amp'
RECORD = 'RECORD'
"""Placeholder in a command line for the folder of the pair's record."""

_COMPILED = ('--method', 'kd', '--cfg-options', 'model.teacher.compile=True')
_DHKD = ('--method', 'dhkd', '--set', 'dual_head.gradient_alignment=False')
OPTIONS = {
    STUDENT: ('--method', 'none'),
    KD: ('--method', 'kd'),
    DHKD: _DHKD,
    ALIGNED: ('--method', 'dhkd', '--set', 'dual_head.gradient_alignment=True'),
    MHKD: ('--method', 'mhkd'),
    KD_AMP: ('--method', 'kd', '--amp'),
    DHKD_AMP: (*_DHKD, '--amp'),
    STUDENT_AMP: ('--method', 'none', '--amp'),
    RECORDED: ('--method', 'kd', '--recorded', RECORD),
    RECORDED_AMP: ('--method', 'kd', '--recorded', RECORD, '--amp'),
    COMPILED: _COMPILED,
    COMPILED_AMP: (*_COMPILED, '--amp'),
}
"""Command lines of ``tools/train.py``, by the form that runs a step of theirs."""


class Forms:
    """Forms of one pair, each built on first use.

    Args:
        workshop: Where their trainings start.
    """

    def __init__(self, workshop: Workshop) -> None:
        self.workshop = workshop
        self._trainings: dict[str, Training] = {}

    def __getitem__(self, name: str) -> Form:
        """A function that runs one of them once and times it."""
        if name == BACKWARD:
            return self._backward
        return timed(self.step(name), self.workshop.device)

    def step(self, name: str) -> Callable[[], None]:
        """One of them, without timing."""
        special = {USUAL: self._usual, TEACHER: self._teacher}
        if name in (RECORDED, RECORDED_AMP):
            return partial(self._recorded, name)
        return special[name] if name in special else self.training(name).step

    def several(self, names: Iterable[str]) -> dict[str, Form]:
        """Some of them by name."""
        return {name: self[name] for name in names}

    def training(self, name: str) -> Training:
        """The training that a form runs a step of."""
        if name not in self._trainings:
            options = list(OPTIONS[name])
            if RECORD in options:
                options[options.index(RECORD)] = str(self.workshop.record)
            self._trainings[name] = self.workshop.training(*options)
        return self._trainings[name]

    @cached_property
    def plain(self) -> tuple[Training, Any]:
        """Student and teacher as their libraries build them."""
        batch = self.training(STUDENT).batch
        teacher = plain_teacher(self.workshop.pair).to(self.workshop.device)
        teacher.load_state_dict(torch.load(self.workshop.teacher))
        return self.workshop.usual(batch), teacher.eval()

    def _usual(self) -> None:
        """The student's own step, and a forward pass of the teacher."""
        student, teacher = self.plain
        with torch.no_grad():
            teacher(self._images)
        student.step()

    @cached_property
    def _images(self) -> torch.Tensor:
        training = self.training(STUDENT)
        data = training.model.data_preprocessor(dict(training.batch), True)
        return data['inputs']

    def _teacher(self) -> None:
        """The part of the teacher that KD's step runs."""
        distiller = self.training(KD).model
        methods = distiller.named_methods.values()
        taps = {tap for method in methods for tap in method.taps_in_teacher}
        distiller.teacher(self._images, taps)

    def _recorded(self, name: str) -> None:
        """A step of a training with a record, which is read from disk."""
        training = self.training(name)
        teacher = training.model.teacher
        read = AddRecorded(teacher.rows, teacher.needed)
        for number, sample in enumerate(training.batch['data_samples']):
            read({'data_samples': sample}, (0, 0, number), number)
        training.step()

    def _backward(self) -> float:
        """One backward pass of the student, as mmkd trains it."""
        training = self.training(STUDENT)
        model, device = training.model, self.workshop.device
        data = model.data_preprocessor(dict(training.batch), True)
        loss, _ = model.parse_losses(model(**data, mode='loss'))
        begin = now(device)
        loss.backward()
        taken = now(device) - begin
        model.zero_grad()
        return taken
