"""What is distilled into what, in one table."""

import io
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

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
"""Columns of text that a table takes at most."""


def summary(
    distiller: Distiller, image: Tensor, rates: Mapping[str, float] | None = None
) -> str:
    """Describe a distillation: networks, weights, schedules, taps.

    Args:
        distiller: The distiller; it is not changed, and hooks that others have
            registered in it are not called.
        image: One preprocessed image ``(C, H, W)``, for which multiply-adds are
            counted and shapes are those of the taps.
        rates: Learning rates of the methods' parameters, by method.

    Returns:
        The table as text.
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
    """What a network costs and where it is tapped, for one image.

    Attributes:
        costs: Parameters and multiply-adds, as text.
        shapes: Shapes of taps, without the batch's dimension.
        unknown: What to say of a tap that has none.
    """

    costs: tuple[str, str]
    shapes: dict[Tap, Size]
    # In training alone does a student run its auxiliary heads.
    unknown: str = 'not run yet'

    def words(self, tap: Tap) -> str:
        shape = _size(self.shapes[tap]) if tap in self.shapes else self.unknown
        return f'{tap.kind} of {tap}, {shape}'


def _look(view: ModelView, image: Tensor, taps: Iterable[Tap]) -> _Look:
    count = sum(parameter.numel() for parameter in view.model.parameters())
    size = image.shape[-2:]
    try:
        with (
            _on_shapes_alone(view),
            FlopCounterMode(display=False) as counter,
            capture(
                view.model, taps, strict=False, copy=False, image_size=size
            ) as values,
        ):
            view.model(image[None].to('meta'), mode='tensor')
    except Exception as error:
        # On shapes alone it fails in whatever way the model's forward happens to ask.
        why = f'({type(error).__name__})'
        return _Look((f'{count:,}', f'not counted {why}'), {}, f'not known {why}')
    sums = f'{counter.get_total_flops() / 2e6:,.1f}M'
    return _Look(
        (f'{count:,}', sums), {tap: value.shape[1:] for tap, value in values.items()}
    )


def multiply_adds(view: ModelView, image: Tensor) -> int | str:
    """Count the multiply-adds of a model's products and convolutions.

    Args:
        view: The model; it is not changed.
        image: One preprocessed image ``(C, H, W)``, of which the shape counts.

    Returns:
        Their number, or the name of the error with which the model fails on shapes
        alone.
    """
    try:
        with _on_shapes_alone(view), FlopCounterMode(display=False) as counter:
            view.model(image[None].to('meta'), mode='tensor')
    except Exception as error:
        # As above.
        return type(error).__name__
    return int(counter.get_total_flops() // 2)


@contextmanager
def _on_shapes_alone(view: ModelView) -> Iterator[None]:
    """Let a model run without values, as if it had never run."""
    with undisturbed(view.model, view.born):
        for module in view.model.modules():
            for tensors in (module._parameters, module._buffers):
                tensors.update(_shapes(tensors))
        yield


def _shapes(tensors: Mapping[str, Any]) -> dict[str, Any]:
    """The same tensors without values."""
    return {
        name: tensor if tensor is None else tensor.to('meta')
        for name, tensor in tensors.items()
    }
