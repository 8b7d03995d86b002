"""The errors that storing causes are those of the stored values alone."""

from typing import Any

import pytest
import torch
from steps import KINDS
from tiny_models import TASKS, Noise

from mmkd.recording.accuracy import errors
from mmkd.recording.plan import Wishes, stored_taps
from mmkd.recording.recorder import Seen
from mmkd.registry import METHODS

CASES = [
    (name, task)
    for name, settings in KINDS.items()
    for task in TASKS
    if METHODS.get(settings['type']).only_for in (None, task)
]


@pytest.mark.parametrize(('name', 'task'), CASES)
def test_exact_values_have_no_error(name: str, task: str, tiny: Any) -> None:
    """Also for a method that updates a memory or draws random numbers."""
    distiller = tiny.distiller(task, dict(own=KINDS[name]))
    batch = tiny.batch(task)
    for number, sample in enumerate(batch['data_samples']):
        sample.set_metainfo(dict(sample_idx=number))
    if task == 'images':
        distiller.methods['own'].prepare(Noise(tiny.batch(task, count=8)))
    data = distiller.data_preprocessor(batch, True)
    # Memories that begin empty are not.
    distiller(**data, mode='loss')
    taps = distiller.methods['own'].taps_in_teacher
    values = distiller.teacher(data['inputs'], taps)
    seen = Seen(values, [], data['data_samples'], data['inputs'])
    before = {k: v.clone() for k, v in distiller.state_dict().items()}
    for dtype in ('float32', 'int8'):
        stored = stored_taps(values, Wishes(dtype, limit=2**60))
        [error] = errors(distiller, seen, stored)
        assert error.loss > 0
        if dtype == 'float32':
            assert error[2:] == (0, 0)
    after = distiller.state_dict()
    torch.testing.assert_close(after, before, rtol=0, atol=0, equal_nan=True)
