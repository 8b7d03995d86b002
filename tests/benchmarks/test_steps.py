import math
import warnings
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from benchmarks import gpu, steps
from benchmarks.forms import KD, STUDENT, USUAL, Forms
from benchmarks.table import NOT_APPLICABLE, NOT_MEASURED
from benchmarks.training import Workshop

BATCH_NORMS = nn.modules.batchnorm._BatchNorm
# Compiling takes a C++ compiler and minutes.
RATIOS = [each for each in steps.RATIOS if not each.subject.startswith('compiled')]
SUBJECTS = {ratio.subject for ratio in RATIOS}


@pytest.fixture
def forms(workshop: Workshop) -> Forms:
    return Forms(workshop)


@pytest.mark.check
def test_each_figure_has_a_finite_value(
    forms: Forms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, 'has_bfloat16', lambda: True)
    rows = list(steps.rows(forms, SUBJECTS, rounds=2))
    assert [row.figure for row in rows] == [ratio.figure for ratio in RATIOS]
    for row, ratio in zip(rows, RATIOS, strict=True):
        assert len(row.rounds) == 2 * ratio.times
        assert all(map(math.isfinite, row.rounds))
        assert row.bar is not None


def test_bfloat16_needs_its_instructions(
    forms: Forms, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    info = tmp_path / 'cpuinfo'
    monkeypatch.setattr(steps, 'CPU_INFO', info)
    for text, able in (('flags: fma avx512_bf16', True), ('flags: fma avx2', False)):
        info.write_text(text)
        assert steps.has_bfloat16() is able
    values = [row.value for row in steps.rows(forms, {'amp'}, rounds=1)]
    assert values == [NOT_APPLICABLE] * 2


def test_the_usual_loop_has_no_fast_path(forms: Forms) -> None:
    forms.step(USUAL)()
    student, teacher = forms.plain
    for model in (student.model, teacher):
        assert all(p.is_contiguous() for p in model.parameters())
        assert all(p.dtype == torch.float32 for p in model.parameters())
        assert any(isinstance(module, BATCH_NORMS) for module in model.modules())
    assert not teacher.training
    assert not isinstance(student.model, type(forms.training(KD).model))
    assert student.model.training


def test_steps_learn_what_a_training_learns(forms: Forms) -> None:
    before = [p.clone() for p in forms.training(STUDENT).model.parameters()]
    forms.step(STUDENT)()
    after = forms.training(STUDENT).model.parameters()
    assert not all(map(torch.equal, before, after))


def test_the_backward_pass_leaves_no_gradient(forms: Forms) -> None:
    assert forms['backward pass']() > 0
    assert all(p.grad is None for p in forms.training(STUDENT).model.parameters())


def test_what_needs_a_gpu_is_not_measured_without(forms: Forms) -> None:
    assert {row.value for row in gpu.rows(forms)} == {NOT_MEASURED}


def test_waits_are_those_beyond_the_students_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As many as a GPU would warn of, in each step."""
    warned = {STUDENT: 3, KD: 5}

    def step(name: str) -> None:
        for number in range(warned.get(name, 0)):
            warnings.warn(f'called a synchronizing operation {number}', stacklevel=1)

    for name in ('set_sync_debug_mode', 'synchronize', 'reset_peak_memory_stats'):
        monkeypatch.setattr(torch.cuda, name, lambda *_: None)
    for name in ('memory_allocated', 'max_memory_allocated'):
        monkeypatch.setattr(torch.cuda, name, lambda: 0)
    workshop = SimpleNamespace(device='cuda', pair=SimpleNamespace(title='pair'))
    forms: Any = SimpleNamespace(
        workshop=workshop, step=lambda name: partial(step, name)
    )
    waits, *_ = gpu.rows(forms)
    assert (waits.value, waits.bar) == (2, 0)
