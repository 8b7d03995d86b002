"""The base class of distillation methods."""

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

    A method declares its taps in ``__init__`` by filling
    :attr:`taps_in_student` and :attr:`taps_in_teacher`, builds the modules it
    trains as its children, and computes its terms in :meth:`loss`. Its
    parameters and buffers are trained, saved and resumed with the student, but
    are not part of the deployed student.

    Args:
        student: The student, with its task, widths and places to tap.
        teacher: The teacher, likewise.
        weight: Multiplies the method's terms; None for the class's default.
        task_weight: Weight of the student's own loss in the method's source,
            for the distiller to apply; None if the source does not set it.
        start: First step in which the method is active, from 0.
        warmup: Steps over which its weight then rises linearly.
        stop: First step in which it is no longer active; 0 disables the method,
            as a weight of 0 does.
        by_epoch: True if steps are epochs, False if they are iterations, None for
            the unit of the training loop.
        gradient_alignment: Whether to align the gradient of distillation with the
            task's, as Dual-Head KD does. It selects the optimiser wrapper, which
            is otherwise the pair's.
        source: Where the setting comes from, for the table printed at the start
            of a training.

    Attributes:
        taps_in_student: What is captured in the student.
        taps_in_teacher: What is captured in the teacher.
        schedule_factor: Between 0 and 1, set by ``DistillScheduleHook``; None
            until then if there is a schedule.

    Raises:
        ValueError: If a weight is negative or infinite, the schedule ends
            before it starts, or the method is not defined for the student's
            task.
        TypeError: If a weight or a schedule's value is not a number.
    """

    weight: float = 1.0
    only_for: ClassVar[Literal['images', 'pixels'] | None] = None
    instead: ClassVar[str] = ''
    """Why the method supports only one of them, and what to use instead."""
    own_terms: ClassVar[tuple[str, ...]] = ()
    """Terms that train only the method's own modules: no weight applies."""

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
        """Whether the method is active now.

        Raises:
            RuntimeError: If it has a schedule that no hook updates.
        """
        if self.schedule_factor is None:
            raise RuntimeError(
                f'{type(self).__name__} has a schedule ({self.schedule}) that no hook '
                "updates: add dict(type='mmkd.DistillScheduleHook') to "
                'default_hooks.'
            )
        return self.weight * self.schedule_factor > 0

    def weighted(self, terms: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Weight the terms as they are currently added to the training loss.

        Args:
            terms: What :meth:`loss` returned.

        Returns:
            The same; terms that are minimised are scaled by weight and schedule.
        """
        now = self.schedule_factor or 0.0
        return {
            name: value
            if 'loss' not in name
            else value * (now if name in self.own_terms else self.weight * now)
            for name, value in terms.items()
        }

    def prepare(self, dataset: Any) -> None:
        """Read the training set before training; most methods do not need to.

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
            targets: The targets of the batch.

        Returns:
            Scalars by name. Terms with ``loss`` in their name are minimised,
            others are only logged.
        """


def auxiliary_head(head: dict[str, Any], view: ModelView, tap: Tap) -> nn.Module:
    """Build a head that does the model's classification on a tapped feature.

    Args:
        head: Config of the head; its ``init_cfg``, if any, is applied.
        view: The model that contains the tap.
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
            f'{view.name}, of shape {tuple(shape)}: maps are (N, C, H, W), vectors '
            f'(N, C). Choose another module or head. ({error})'
        ) from error
    return built
