"""MMRazor's own loop compared with mmkd's, in an interpreter that has both.

``python -m benchmarks.razor --rounds N`` prints rows as JSON; ``python -m benchmarks
--against PYTHON`` runs it. MMRazor's distillation of logits is built as its configs
build it (``configs/distill/mmcls/kd``), on the networks, sizes and rounds of mmkd's.
"""

import argparse
import json
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope

from benchmarks.forms import KD, USUAL, Forms
from benchmarks.pairs import PAIRS, plain_teacher
from benchmarks.rounds import in_turns, timed
from benchmarks.table import Row, row
from benchmarks.training import Training, Workshop

RAZOR = 'MMRazor'


def training(workshop: Workshop, usual: Training) -> Training:
    """A step of MMRazor's ``SingleTeacherDistill`` with ``KLDivergence``.

    Args:
        workshop: Has the teacher's weights.
        usual: A student as its library trains it; its model is reused.
    """
    from mmrazor.models import SingleTeacherDistill

    teacher = plain_teacher(workshop.pair)
    teacher.load_state_dict(torch.load(workshop.teacher))
    path = 'decode_head.conv_seg' if workshop.pair.is_maps else 'head.fc'
    recorders = dict(logits=dict(type='ModuleOutputs', source=path))
    inputs = {
        f'preds_{side}': dict(from_student=side == 'S', recorder='logits')
        for side in 'ST'
    }
    init_default_scope('mmrazor')
    model: Any = SingleTeacherDistill(
        distiller=dict(
            type='ConfigurableDistiller',
            student_recorders=recorders,
            teacher_recorders=recorders,
            distill_losses=dict(
                loss_kl=dict(type='KLDivergence', tau=4, loss_weight=0.9)
            ),
            loss_forward_mappings=dict(loss_kl=inputs),
        ),
        teacher=teacher,
        architecture=usual.model,
    )
    model = model.to(workshop.device)
    model.train()
    wrapper = build_optim_wrapper(model, workshop.plain_config().optim_wrapper)
    return Training(model, wrapper, usual.batch)


def rows(forms: Forms, rounds: int) -> Iterator[Row]:
    """Measure MMRazor's step against the usual loop, and mmkd's against it.

    Args:
        forms: The forms of a pair.
        rounds: How often the three take turns.
    """
    workshop = forms.workshop
    razor = training(workshop, workshop.usual(forms.training(KD).batch))
    turns = forms.several((USUAL, KD)) | {RAZOR: timed(razor.step, workshop.device)}
    times = in_turns(turns, rounds)
    figures = {
        "MMRazor's KD step ÷ usual loop": (RAZOR, USUAL),
        "KD step ÷ MMRazor's": (KD, RAZOR),
    }
    for figure, (above, below) in figures.items():
        ratios = [seconds[above] / seconds[below] for seconds in times]
        yield row(figure, workshop.pair.title, ratios)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--rounds', type=int, default=7)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    found: list[Row] = []
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    for pair in PAIRS[device]:
        with tempfile.TemporaryDirectory() as folder:
            found += rows(Forms(Workshop(pair, Path(folder), device)), rounds)
    print(f'\n{json.dumps([asdict(row) for row in found])}')


if __name__ == '__main__':
    main()
