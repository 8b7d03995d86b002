"""A summary of a distillation, as tables."""

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table
from torch import Size, Tensor
from torch.utils.flop_counter import FlopCounterMode

from mmkd.models.discovery import ModelView
from mmkd.models.distiller import Distiller
from mmkd.models.taps import Tap, capture
from mmkd.models.taught import student_alone
from mmkd.models.undisturbed import undisturbed

WIDTH = 110
"""Maximum width of a table, in characters."""


def summary(
    distiller: Distiller, image: Tensor, rates: Mapping[str, float] | None = None
) -> str:
    """Describe a distillation: networks, weights, schedules, taps.

    Args:
        distiller: The distiller; it is not changed, and hooks that others have
            registered in it are not called.
        image: One preprocessed image ``(C, H, W)``, for which to count multiply-adds
            and find the shapes of the taps.
        rates: Learning rates of the methods' parameters, by method.

    Returns:
        The tables as text.
    """
    counted = f'multiply-adds at {_size(image.shape[1:])}'
    networks = Table('network', 'class', 'parameters', counted)
    methods_of = distiller.named_methods.values()
    with student_alone(distiller):
        taps = [tap for method in methods_of for tap in method.taps_in_student]
        student = _look(distiller.student_view, image, taps)
    view = distiller.teacher.view
    taps = [tap for method in methods_of for tap in method.taps_in_teacher]
    teacher = _look(view, image, taps)
    networks.add_row('student', type(distiller).__name__, *student.costs)
    networks.add_row('teacher', type(view.model).__name__, *teacher.costs)
    methods = Table('loss', 'weight', 'schedule', 'learning rate', 'setting', 'taps')
    methods.add_row('task', f'{distiller.task_weight:g}', '', '', '', '')
    for name, method in distiller.named_methods.items():
        rate = (rates or {}).get(name)
        methods.add_row(
            f'{name} ({type(method).__name__})',
            f'{method.weight:g}',
            str(method.schedule),
            'no parameters' if rate is None else f'{rate:g}',
            method.source,
            '\n'.join(
                [f'student: {student.words(tap)}' for tap in method.taps_in_student]
                + [f'teacher: {teacher.words(tap)}' for tap in method.taps_in_teacher]
            ),
        )
    text = io.StringIO()
    console = Console(file=text, width=WIDTH)
    console.print(networks)
    if distiller.compares_classes:
        console.print(f'class order {distiller.teacher.classes.order}')
    console.print(methods)
    return text.getvalue()


def _size(shape: Size) -> str:
    return ' x '.join(map(str, shape))


@dataclass
class _Look:
    """Costs of a network and shapes of its taps, for one image.

    Attributes:
        parameters: The number of parameters.
        products: Multiply-adds, or the name of the error if it cannot run on meta
            tensors.
        shapes: Shapes of the taps, without the batch dimension.
    """

    parameters: int
    products: int | str
    shapes: dict[Tap, Size]

    @property
    def costs(self) -> tuple[str, str]:
        """Parameters and multiply-adds, as text."""
        counted = f'not counted ({self.products})'
        if isinstance(self.products, int):
            counted = f'{self.products / 1e6:,.1f}M'
        return f'{self.parameters:,}', counted

    def words(self, tap: Tap) -> str:
        # A student runs its auxiliary heads only in training.
        shape = 'not run yet'
        if tap in self.shapes:
            shape = _size(self.shapes[tap])
        elif isinstance(self.products, str):
            shape = f'not known ({self.products})'
        return f'{tap.kind} of {tap}, {shape}'


def _look(view: ModelView, image: Tensor, taps: Iterable[Tap] = ()) -> _Look:
    count = sum(parameter.numel() for parameter in view.model.parameters())
    try:
        with undisturbed(view.model, view.born, values=False):
            size = image.shape[-2:]
            tapped = capture(view.model, taps, False, copy=False, image_size=size)
            with FlopCounterMode(display=False) as counter, tapped as values:
                view.model(image[None].to('meta'), mode='tensor')
    except Exception as error:
        # On meta tensors a model's forward can raise any exception.
        return _Look(count, type(error).__name__, {})
    shapes = {tap: value.shape[1:] for tap, value in values.items()}
    return _Look(count, int(counter.get_total_flops() // 2), shapes)


def multiply_adds(view: ModelView, image: Tensor) -> int | str:
    """Count the multiply-adds of a model's matrix products and convolutions.

    Args:
        view: The model; it is not changed.
        image: One preprocessed image ``(C, H, W)``; only its shape matters.

    Returns:
        Their number, or the name of the error if the model cannot run on meta
        tensors.
    """
    return _look(view, image).products
