"""Rows for a GPU only: synchronisation with it, and its memory."""

import warnings
from collections.abc import Iterator

import torch

from benchmarks.forms import KD, STUDENT, USUAL, Forms
from benchmarks.table import NOT_MEASURED, Row, row

WAITS = "KD step: waits for the GPU beyond its student's own"
MEMORY = '{}: memory of a step beyond what is held'
BAR = 0


def rows(forms: Forms) -> Iterator[Row]:
    """Measure them if there is a GPU.

    Args:
        forms: The forms of a pair.
    """
    title = forms.workshop.pair.title
    if forms.workshop.device == 'cpu':
        yield Row(WAITS, title, NOT_MEASURED, BAR, 'waits')
        for name in (KD, USUAL):
            yield Row(MEMORY.format(name), title, NOT_MEASURED, None, 'MiB')
        return
    beyond = _waits(forms, KD) - _waits(forms, STUDENT)
    yield row(WAITS, title, [beyond], BAR, 'waits')
    for name in (KD, USUAL):
        yield row(MEMORY.format(name), title, [_mebibytes(forms, name)], None, 'MiB')


def _waits(forms: Forms, name: str) -> int:
    """How often a step after the first blocks on the GPU."""
    step = forms.step(name)
    step()
    torch.cuda.set_sync_debug_mode('warn')
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter('always')
            step()
    finally:
        torch.cuda.set_sync_debug_mode('default')
    return sum('synchronizing' in str(warning.message) for warning in caught)


def _mebibytes(forms: Forms, name: str) -> float:
    step = forms.step(name)
    step()
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    held = torch.cuda.memory_allocated()
    step()
    torch.cuda.synchronize()
    return (torch.cuda.max_memory_allocated() - held) / 2**20
