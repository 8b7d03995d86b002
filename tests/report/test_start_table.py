from typing import Any

import torch
from tiny_models import tiny

from mmkd.models.summary import summary
from mmkd.report.start_table import start_tables

__all__ = ['tiny']

METHODS = dict(
    dual_head=dict(type='DualHead', weight=0.5), kd=dict(type='LogitsKD', weight=1)
)


def test_it_reads_what_a_training_writes(tiny: Any) -> None:
    distiller = tiny.distiller('pixels', METHODS)
    text = summary(distiller, torch.zeros(3, 32, 32), {'dual_head': 0.01})
    head = '2026/01/01 10:00:00 - mmengine - INFO - '
    networks, losses = start_tables(
        f'{head}before\n{head}Distillation\n{text}\n{head}after\n│ no │ table │\n'
    )
    assert networks.head[:3] == ['network', 'class', 'parameters']
    assert [row[0] for row in networks.rows] == [['student'], ['teacher']]
    assert losses.note.startswith('class order')
    assert [row[0] for row in losses.rows] == [
        ['task'],
        ['dual_head (DualHead)'],
        ['kd (LogitsKD)'],
    ]
    assert [row[1] for row in losses.rows] == [['1'], ['0.5'], ['1']]
    for row in losses.rows[1:]:
        # Each network has one line, however the text was wrapped.
        assert [line.partition(':')[0] for line in row[-1]] == ['student', 'teacher']


def test_a_plain_training_has_none() -> None:
    assert start_tables('2026/01/01 10:00:00 - mmengine - INFO - Config:\n') == []
