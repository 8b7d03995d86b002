"""What every distillation method has in common."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
from mmengine.model import BaseModule, initialize
from torch import Tensor, nn

from mmkd.models.discovery import ModelView
from mmkd.models.methods.schedule import Schedule
from mmkd.models.methods.values import check_number
from mmkd.models.taps import Tap, Taps
from mmkd.models.undisturbed import undisturbed
from mmkd.registry import MODELS
from mmkd.structures import Targets


class Method(BaseModule):
    """One distillation technique.

    A method says in ``__init__`` what it taps, by filling
    :attr:`taps_in_student` and :attr:`taps_in_teacher`, builds the modules it
    trains as its children, and computes its terms in :meth:`loss`. Parameters
    and buffers of a method are trained, saved and resumed with the student, and
    are no part of the deployed student.

    Args:
        student: The student, with its task, widths and places.
        teacher: The teacher, likewise.
        weight: Multiplies the method's terms; None for the class's own.
        task_weight: What the method's source multiplies the student's own loss
            with, to be taken by the distiller; None if it says nothing of it.
        start: First step in which the method counts, from 0.
        warmup: Steps over which its weight then rises linearly.
        stop: First step in which it counts no more; 0 leaves it out, as a weight
            of 0 does.
        by_epoch: Whether these steps are epochs or iterations; None if they are what
            the training loop counts.
        gradient_alignment: Whether the training is to align the gradient of
            distillation with the task's, as Dual-Head KD does. It selects the
            optimiser wrapper, which is the pair's otherwise.
        source: Where the setting comes from, for the table that a training
            starts with.

    Attributes:
        taps_in_student: What is captured in the student.
        taps_in_teacher: What is captured in the teacher.
        schedule_factor: Between 0 and 1, set by ``DistillScheduleHook``; None
            until then where there is a schedule.

    Raises:
        ValueError: If a weight is negative or infinite, the schedule ends
            before it starts, or the student is not of the kind the method is
            defined on.
        TypeError: If a weight or a schedule's value is not a number.
    """

    weight: float = 1.0
    only_for: ClassVar[Literal['images', 'pixels'] | None] = None
    instead: ClassVar[str] = ''
    """Why the method is only for one of them, and what to use instead."""
    own_terms: ClassVar[tuple[str, ...]] = ()
    """Terms that train the method's own parts alone: no weight applies."""

    def __init__(
        self,
        student: ModelView,
        teacher: ModelView,
        weight: float | None = None,
        task_weight: float | None = None,
        start: float = 0,
        warmup: float = 0,
        stop: float | None = None,
        by_epoch: bool | None = None,
        gradient_alignment: bool = False,
        source: str = 'default',
    ) -> None:
        super().__init__()
        kind = student.task.classified
        if self.only_for not in (None, kind):
            raise ValueError(
                f'{self.instead} The student {type(student.model).__name__} '
                f'classifies {kind}.'
            )
        self.weight = self.weight if weight is None else weight
        for name, value in (('weight', self.weight), ('task_weight', task_weight)):
            if value is not None:
                check_number(f'{name} of {type(self).__name__}', value)
        self.task_weight = task_weight
        self.schedule = Schedule(start, warmup, stop, by_epoch)
        self.gradient_alignment = gradient_alignment
        self.source = source
        self.task = student.task
        self.taps_in_student: list[Tap] = []
        self.taps_in_teacher: list[Tap] = []
        self.schedule_factor = 1.0 if self.schedule.is_constant else None

    @property
    def is_active(self) -> bool:
        """Whether the method counts now.

        Raises:
            RuntimeError: If it has a schedule, and nothing tells it the time.
        """
        if self.schedule_factor is None:
            raise RuntimeError(
                f'{type(self).__name__} has a schedule ({self.schedule}) and nothing '
                "tells it the time: add dict(type='mmkd.DistillScheduleHook') to "
                'default_hooks.'
            )
        return self.weight * self.schedule_factor > 0

    def weighted(self, terms: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Terms as they are added to the training's loss now.

        Args:
            terms: What :meth:`loss` returned.

        Returns:
            The same, those that are minimised times weight and schedule.
        """
        now = self.schedule_factor or 0.0
        return {
            name: value
            if 'loss' not in name
            else value * (now if name in self.own_terms else self.weight * now)
            for name, value in terms.items()
        }

    def prepare(self, dataset: Any) -> None:
        """Look at the training set before training; most methods need not.

        Args:
            dataset: The training set, of MMEngine's ``BaseDataset`` kind.
        """

    @abstractmethod
    def loss(
        self, student_taps: Taps, teacher_taps: Taps, targets: Targets
    ) -> dict[str, Tensor]:
        """Compute the method's terms, before its weight.

        Args:
            student_taps: The values of :attr:`taps_in_student`, with gradient.
            teacher_taps: The values of :attr:`taps_in_teacher`, constants.
            targets: What the batch is to be classified as.

        Returns:
            Scalars by name. A name with ``loss`` in it is minimised, others
            are logged alone.
        """


def auxiliary_head(head: dict[str, Any], view: ModelView, tap: Tap) -> nn.Module:
    """Build a head that classifies what a tap captures as the model does.

    Args:
        head: Config of the head, which its ``init_cfg`` initialises.
        view: The model that the tap is in.
        tap: The features that the head reads.

    Raises:
        ValueError: If the head cannot read features of this shape.
    """
    shape = view.shape(tap)
    widths = {
        'in_channels': shape[1],
        'num_classes': view.num_classes,
        'spatial_dims': view.task.spatial_dims,
    }
    built = MODELS.build(head, default_args=widths)
    if getattr(built, 'init_cfg', None):
        initialize(built, built.init_cfg)
    try:
        with undisturbed(built):
            built(torch.zeros(shape))
    except RuntimeError as error:
        raise ValueError(
            f'{type(built).__name__} cannot read the {tap.kind} of {tap.path!r} in '
            f'{view.name}, which is {tuple(shape)}: maps are (N, C, H, W), vectors '
            f'(N, C). Name another module, or another head. ({error})'
        ) from error
    return built
