"""Drawing parameters is skipped, and nothing else."""

from typing import Any

import pytest
import torch
from torch import nn

from mmkd.models import build_model
from mmkd.models.teachers.undrawn import Undrawn


class Noisy(nn.Module):
    """Has random numbers that are in no checkpoint."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer('noise', torch.randn(5), persistent=False)
        self.table = torch.empty(5).uniform_()
        self.scale = nn.Parameter(torch.ones(3))
        self.weight = nn.Parameter(torch.empty(4, 3))
        nn.init.orthogonal_(self.weight)


CONFIGS = [
    'mmseg::deeplabv3/deeplabv3_r18-d8_4xb2-80k_cityscapes-512x1024.py',
    'mmseg::segformer/segformer_mit-b0_8xb1-160k_cityscapes-1024x1024.py',
    'mmpretrain::swin_transformer/swin-tiny_16xb64_in1k.py',
    'mmpretrain::convnext/convnext-tiny_32xb128_in1k.py',
    'mmpretrain::deit/deit-tiny_4xb256_in1k.py',
]


@pytest.mark.parametrize('config', CONFIGS)
def test_what_is_loaded_makes_the_model_that_is_drawn(config: str) -> None:
    torch.manual_seed(0)
    drawn = build_model(config)
    with Undrawn():
        model = build_model(config)
    assert model.load_state_dict(drawn.state_dict()) == ([], [])
    for (name, own), (_, other) in zip(
        contents(model).items(), contents(drawn).items(), strict=True
    ):
        torch.testing.assert_close(own, other, rtol=0, atol=0, msg=name)


def contents(model: nn.Module) -> dict[str, Any]:
    """Parameters and buffers, including those that are in no checkpoint."""
    return dict(model.named_parameters()) | dict(model.named_buffers())


def test_parameters_are_not_drawn() -> None:
    torch.manual_seed(0)
    first = torch.rand(3)
    torch.manual_seed(0)
    with Undrawn():
        nn.Conv2d(3, 4, 3), nn.Linear(3, 4), nn.Embedding(4, 3)
        nn.init.xavier_normal_(nn.Parameter(torch.empty(3, 4)))
        nn.init.trunc_normal_(nn.Parameter(torch.empty(3, 4)))
    assert torch.rand(3).equal(first)


def test_other_numbers_are_drawn_as_ever() -> None:
    found = []
    for context in (torch.enable_grad(), Undrawn()):
        torch.manual_seed(0)
        with context:
            found.append(Noisy())
    for name in ('noise', 'table', 'scale'):
        assert getattr(found[0], name).equal(getattr(found[1], name)), name
