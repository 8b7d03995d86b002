from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from mmkd.engine import ChannelsLastHook
from mmkd.models import Distiller, build_model

ROOT = Path(__file__).parents[3]


@pytest.fixture
def distiller(tmp_path: Path) -> Distiller:
    network = Config.fromfile(ROOT / 'configs/_base_/models/resnet8_cifar.py').model
    network['_scope_'] = 'mmpretrain'
    checkpoint = tmp_path / 'teacher.pth'
    torch.save(build_model(network).state_dict(), checkpoint)
    teacher = dict(config=network, checkpoint=str(checkpoint))
    return Distiller(network, teacher, dict(kd=dict(type='LogitsKD'))).eval()


def losses(distiller: Distiller) -> dict[str, Tensor]:
    images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    samples = [DataSample().set_gt_label(label) for label in (3, 7)]
    return distiller(images, samples, mode='loss')


def layouts(network: nn.Module) -> set[bool]:
    return {
        module.weight.is_contiguous(memory_format=torch.channels_last)
        for module in network.modules()
        if isinstance(module, nn.Conv2d) and module.kernel_size > (1, 1)
    }


def test_student_and_teacher_change_layout_and_keep_their_values(
    distiller: Distiller,
) -> None:
    before, state = losses(distiller), distiller.state_dict()
    teacher = distiller.teacher.model
    assert layouts(distiller) == layouts(teacher) == {False}
    ChannelsLastHook().before_run(SimpleNamespace(model=distiller))
    assert layouts(distiller) == layouts(teacher) == {True}
    torch.testing.assert_close(losses(distiller), before)
    torch.testing.assert_close(distiller.state_dict(), state, rtol=0, atol=0)
