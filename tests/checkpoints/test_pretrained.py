import re
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmkd.setup import setup

setup()


class Net(BaseModule):
    def __init__(self, depth: int = 3, width: int = 4, **init_cfg: Any) -> None:
        super().__init__(dict(type='Pretrained', **init_cfg) if init_cfg else None)
        self.layers = nn.Sequential(*[nn.Linear(width, width) for _ in range(depth)])


def saved(state: dict[str, Tensor], folder: Path) -> str:
    path = folder / 'weights.pth'
    torch.save(state, path)
    return str(path)


def test_its_own_weights_and_part_of_them_are_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    place = 'mmkd.checkpoints.pretrained.print_log'
    monkeypatch.setattr(place, lambda text, *_: said.append(text))
    whole = Net(2).state_dict()
    path = saved({f'backbone.{name}': value for name, value in whole.items()}, tmp_path)
    net = Net(2, checkpoint=path, prefix='backbone.')
    net.init_weights()
    assert torch.equal(net.layers[1].weight, whole['layers.1.weight'])
    assert not said
    Net(5, checkpoint=path, prefix='backbone.').init_weights()
    [line] = said
    assert re.search('has 4 of the 10 weights of Net .* the others stay random', line)


@pytest.mark.parametrize(
    ('state', 'settings', 'message'),
    [
        ({'stem.weight': torch.ones(4, 4)}, {}, r'0 of the 6 .* begin with stem\., '),
        (Net(width=5).state_dict(), {}, 'has 0 of the 6 weights of Net'),
        (
            {f'backbone.{name}': v for name, v in Net().state_dict().items()},
            {},
            r"begin with backbone\., .*prefix='backbone\.'",
        ),
        (Net().state_dict(), dict(prefix='encoder'), r'weights\.pth: encoder\. is not'),
        (
            {name: v * torch.nan for name, v in Net().state_dict().items()},
            {},
            'not finite',
        ),
    ],
)
def test_those_of_another_network_are_refused(
    state: dict[str, Tensor], settings: dict[str, str], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        Net(checkpoint=saved(state, tmp_path), **settings).init_weights()
