"""What is distilled into what, in one table."""

import io
from collections.abc import Iterator, Mapping

import torch
from mmengine.analysis import get_model_complexity_info
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from mmkd.models.discovery import ModelView, evaluating
from mmkd.models.distiller import Distiller
from mmkd.models.methods import Method
from mmkd.models.taps import Tap
from mmkd.models.taught import student_alone

WIDTH = 110
"""Columns of text that a table takes at most."""


def summary(
    distiller: Distiller, image: Tensor, rates: Mapping[str, float] | None = None
) -> str:
    """Describe a distillation: networks, weights, schedules, taps.

    Args:
        distiller: The distiller; it is not changed.
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
        networks.add_row('student', kind, *_costs(distiller, image))
    teacher = distiller.teacher.view.model
    networks.add_row('teacher', type(teacher).__name__, *_costs(teacher, image))
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
    console.print(methods)
    return text.getvalue()


def _size(image: Tensor) -> str:
    return ' x '.join(map(str, image.shape[1:]))


def _costs(model: nn.Module, image: Tensor) -> tuple[str, str]:
    count = sum(parameter.numel() for parameter in model.parameters())
    try:
        with evaluating(model), torch.no_grad():
            costs = get_model_complexity_info(
                model, inputs=(image[None],), show_table=False, show_arch=False
            )
    except Exception as error:
        # Tracing fails in whatever way the model's forward happens to ask.
        return f'{count:,}', f'not counted ({type(error).__name__})'
    return f'{count:,}', str(costs['flops_str'])


def _taps(distiller: Distiller, method: Method) -> Iterator[str]:
    sides: list[tuple[str, ModelView, list[Tap]]] = [
        ('student', distiller.student_view, method.taps_in_student),
        ('teacher', distiller.teacher.view, method.taps_in_teacher),
    ]
    for side, view, taps in sides:
        for tap in taps:
            shape = ' x '.join(map(str, view.shape(tap)[1:]))
            yield f'{side}: {tap.kind} of {tap.path or "the model"}, {shape}'
