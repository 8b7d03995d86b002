"""What is distilled into what, in one table."""

import io
from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from mmkd.models.discovery import ModelView
from mmkd.models.distiller import Distiller
from mmkd.models.methods import Method
from mmkd.models.taps import Tap
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
        image: One preprocessed image ``(C, H, W)``, on which multiply-adds are
            counted.
        rates: Learning rates of the methods' parameters, by method.

    Returns:
        The table as text.
    """
    counted = f'multiply-adds at {_size(image)}'
    networks = Table('network', 'class', 'parameters', counted)
    with student_alone(distiller):
        kind = type(distiller).__name__
        networks.add_row('student', kind, *_costs(distiller.student_view, image))
    view = distiller.teacher.view
    networks.add_row('teacher', type(view.model).__name__, *_costs(view, image))
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
            '\n'.join(_taps(distiller, method)),
        )
    text = io.StringIO()
    console = Console(file=text, width=WIDTH)
    console.print(networks)
    if distiller.compares_classes:
        console.print(f'class order {distiller.teacher.classes.order}')
    console.print(methods)
    return text.getvalue()


def _size(image: Tensor) -> str:
    return ' x '.join(map(str, image.shape[1:]))


def _costs(view: ModelView, image: Tensor) -> tuple[str, str]:
    count = sum(parameter.numel() for parameter in view.model.parameters())
    try:
        with undisturbed(view.model, view.born):
            # Shapes are all that is counted.
            for module in view.model.modules():
                for tensors in (module._parameters, module._buffers):
                    tensors.update(_shapes(tensors))
            with FlopCounterMode(display=False) as counter:
                view.model(image[None].to('meta'), mode='tensor')
    except Exception as error:
        # On shapes alone it fails in whatever way the model's forward happens to ask.
        return f'{count:,}', f'not counted ({type(error).__name__})'
    return f'{count:,}', f'{counter.get_total_flops() / 2e6:,.1f}M'


def _shapes(tensors: Mapping[str, Any]) -> dict[str, Any]:
    """The same tensors without values."""
    return {
        name: tensor if tensor is None else tensor.to('meta')
        for name, tensor in tensors.items()
    }


def _taps(distiller: Distiller, method: Method) -> Iterator[str]:
    sides: list[tuple[str, ModelView, list[Tap]]] = [
        ('student', distiller.student_view, method.taps_in_student),
        ('teacher', distiller.teacher.view, method.taps_in_teacher),
    ]
    for side, view, taps in sides:
        for tap in taps:
            yield f'{side}: {tap.kind} of {tap}, {_shape(view, tap)}'


def _shape(view: ModelView, tap: Tap) -> str:
    try:
        return ' x '.join(map(str, view.trace.shape(tap)[1:]))
    except KeyError:
        # In training alone does a student run its auxiliary heads.
        return 'not run yet'
