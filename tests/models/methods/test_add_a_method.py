"""docs/add_a_method.md, run as written."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from torch.nn.functional import adaptive_avg_pool2d

from mmkd.models import Distiller
from mmkd.models.taps import capture
from mmkd.registry import METHODS

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / 'docs/add_a_method.md').read_text()
FILE, CONFIG = re.findall(r'```python\n(.*?)```', PAGE, re.DOTALL)


@pytest.fixture
def methods(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The methods of the page's config, with its file on Python's path."""
    [name] = re.findall(r'`(\w+\.py)`, anywhere', PAGE)
    (tmp_path / name).write_text(FILE)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / 'own.py').write_text(CONFIG)
    yield Config.fromfile(tmp_path / 'own.py').model.methods
    sys.modules.pop('attention_transfer', None)
    METHODS.module_dict.pop('AttentionTransfer')


def test_it_is_short() -> None:
    assert len((FILE + CONFIG).splitlines()) < 60


def test_it_trains(bench: Any, task: str, methods: Any) -> None:
    assert list(methods) == ['attention']
    trial = bench(task, **methods)
    assert set(trial.terms(trial.data())) == {'distill.attention.loss'}
    assert trial.check_gradients(trial.data()) == {'backbone'}
    trial.check_steps()


def test_it_is_attention_transfer(bench: Any, methods: Any) -> None:
    trial = bench('images', **methods)
    data = trial.data()
    loss = trial.loss(data)

    def maps(model: Any, taps: Any) -> list[torch.Tensor]:
        with torch.no_grad(), capture(model, taps) as values:
            model(data['inputs'], mode='tensor')
        return [values[tap].double() for tap in taps]

    distiller: Distiller = trial.distiller
    expected = torch.zeros(())
    for s, t in zip(
        maps(distiller, trial.method.taps_in_student),
        maps(distiller.teacher.model, trial.method.taps_in_teacher),
        strict=True,
    ):
        q = [(x**2).sum(1).flatten(1) for x in (s, adaptive_avg_pool2d(t, s.shape[2:]))]
        q = [x / x.norm(dim=1, keepdim=True) for x in q]
        expected = expected + ((q[0] - q[1]) ** 2).mean()
    assert loss.item() == pytest.approx(500 * expected.item(), rel=1e-4)
