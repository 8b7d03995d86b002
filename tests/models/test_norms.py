import copy
from typing import Any

import pytest
import torch
from tiny_models import Noise
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmkd.models.heads import ConvClassifier, MLPClassifier
from mmkd.models.norms import BatchNorm1d, BatchNorm2d
from mmkd.registry import METHODS

KINDS = {
    BatchNorm1d: (nn.BatchNorm1d, (5, 3)),
    BatchNorm2d: (nn.BatchNorm2d, (1, 3, 2, 1)),
}

OWN = [
    name
    for name, kind in METHODS.module_dict.items()
    if kind.__module__.startswith('mmkd.')
]


@pytest.mark.parametrize('kind', KINDS)
def test_larger_batches_are_pytorchs(kind: Any) -> None:
    plain, shape = KINDS[kind]
    ours, theirs, inputs = kind(3), plain(3), torch.randn(shape)

    assert ours(inputs).equal(theirs(inputs))
    for name, value in theirs.state_dict().items():
        assert ours.state_dict()[name].equal(value), name
    assert ours.eval()(inputs).equal(theirs.eval()(inputs))


@pytest.mark.parametrize('kind', KINDS)
def test_one_value_a_channel_is_normalised_by_the_running_statistics(
    kind: Any,
) -> None:
    norm, (_, shape) = kind(3), KINDS[kind]
    norm(3 + 2 * torch.randn(shape))
    before = copy.deepcopy(norm.state_dict())
    inputs = torch.randn(1, 3, *[1] * (len(shape) - 2))

    outputs = norm(inputs)

    scale = (before['running_var'] + norm.eps).sqrt()
    expected = (inputs.flatten() - before['running_mean']) / scale
    torch.testing.assert_close(outputs.flatten(), expected)
    for name, value in before.items():
        assert norm.state_dict()[name].equal(value), name
    outputs.sum().backward()
    assert norm.weight.grad.any()


def test_all_of_mmkds_parts_have_it() -> None:
    for head in (
        MLPClassifier(4, 3),
        MLPClassifier(4, 3, spatial_dims=2),
        ConvClassifier(4, 3),
    ):
        maps = head.layers[0].weight.dim() == 4
        head(torch.randn(1, 4, *[1] * 2 * maps)).sum().backward()


@pytest.mark.parametrize('name', OWN)
def test_every_method_trains_on_a_batch_of_one_image(tiny: Any, name: str) -> None:
    only = 'pixels' if name in ('CIRKD', 'CWD', 'IFVD', 'SKD') else 'images'
    heads = {'DualHead': 'MLPClassifier', 'MultiHead': 'ConvClassifier'}
    settings = dict(head=dict(type=heads[name])) if name in heads else {}
    if name == 'MultiHead':
        settings.update(stages=(0, 1))
    distiller = tiny.distiller(only, dict(one=dict(type=name, **settings))).train()
    batch = tiny.batch(only, count=1)
    for sample in batch['data_samples']:
        sample.set_metainfo(dict(sample_idx=0))
    for method in distiller.methods.values():
        method.prepare(Noise(tiny.batch('images', count=8)))

    data = distiller.data_preprocessor(batch, training=True)
    total, _ = distiller.parse_losses(distiller(**data, mode='loss'))
    total.backward()

    assert total.isfinite()
    for key, parameter in distiller.named_parameters():
        assert parameter.grad is None or parameter.grad.isfinite().all(), key
    norms = [m for m in distiller.methods.modules() if isinstance(m, _BatchNorm)]
    assert all(isinstance(norm, (BatchNorm1d, BatchNorm2d)) for norm in norms)
