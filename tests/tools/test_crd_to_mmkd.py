import hashlib
import importlib.util
import os
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import crd_layouts as published
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import load_checkpoint
from torch import nn

from mmkd.models import build_model

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / 'configs/_base_/models'


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


tool = load(ROOT / 'tools/model_converters/crd_to_mmkd.py')

# Recorded from RepDistiller's model definitions, which are not part of this
# repository: the first half of a hash of the sorted names and shapes, and the
# logits 0, 33, 66 and 99, computed in float64, of the weights and the image
# that crd_layouts.py makes.
RECORDED = {
    'resnet8': ('99cb0c0b2ea3', [-2.339444, -1.225616, 1.637029, -3.97652]),
    'resnet14': ('629933907d57', [-8.177762, -0.7751347, 2.670168, -6.252956]),
    'resnet20': ('0386434ca6f3', [-23.36684, 1.711981, -11.4407, -18.66751]),
    'resnet32': ('9e5592f61f00', [-326.8364, 51.25271, 73.92032, -99.96989]),
    'resnet44': ('df3dce284c7a', [-968.0739, 1477.069, -773.5758, -658.4985]),
    'resnet56': ('fa692cabb2e3', [-23566.3, 28662.14, -19338.27, -24513.54]),
    'resnet110': (
        '9ca5a9542fb3',
        [-1.716564e08, -1.726613e08, 1.753648e09, -8.726643e08],
    ),
    'resnet8x4': ('b2ead61a142e', [-4.745221, 2.238207, -0.5542692, -1.512732]),
    'resnet32x4': ('99154b2aea1a', [-664.6322, 218.7658, 216.9132, -363.5782]),
    'wrn16-1': ('b4de1d786e12', [-9.555182, 0.5991873, 0.2189257, -3.936422]),
    'wrn16-2': ('2266f04469bf', [-0.6145568, -0.831004, 0.5921281, 5.662112]),
    'wrn40-1': ('01abc5646d8c', [-276.5734, 19.7656, -34.17332, -89.04798]),
    'wrn40-2': ('595ec0db20d1', [-6.579326, 33.81379, 123.2638, 72.48637]),
    'vgg8': ('7f85b8479109', [0.2548593, -0.1028677, -2.139662, -0.6183194]),
    'vgg11': ('6053995f6332', [0.3810572, 1.427126, -1.704575, -1.48704]),
    'vgg13': ('5778ceb5832e', [0.5223989, 0.8518278, -1.443617, -1.296158]),
    'vgg16': ('0729229b1855', [0.1179909, 0.5124466, -0.8901352, 0.2114092]),
    'vgg19': ('e27ccb5da4f3', [0.8272422, 0.894917, -0.2250221, -0.8979895]),
    'resnet50': ('d5367c1bcc2c', [-551.0404, 1558.099, 829.982, -796.6905]),
    'mobilenetv2': ('54501c9a7e31', [31.59107, -16.43128, 18.30924, -45.09887]),
    'shufflenetv1': ('1282e767b3e9', [-310.1362, -334.0489, -246.5272, -65.58228]),
    'shufflenetv2': ('9b7750ae0328', [-8.749018, 8.518312, 3.561387, 10.67863]),
}


def build(arch: str, num_classes: int = 100) -> nn.Module:
    config = Config.fromfile(CONFIGS / f'{arch}_cifar.py').model
    config['_scope_'] = 'mmpretrain'
    return build_model(config, num_classes).eval()


def image() -> torch.Tensor:
    return torch.from_numpy(published.noise('input', (1, 3, 32, 32))).float()


def run(tmp_path: Path, content: object, arch: str) -> dict:
    src, dst = tmp_path / 'src.pth', tmp_path / 'out/dst.pth'
    torch.save(content, src)
    tool.main([str(src), str(dst), '--arch', arch])
    return torch.load(dst, weights_only=True)


def test_every_architecture_is_covered() -> None:
    assert set(tool.RULES) == set(RECORDED)


@pytest.mark.parametrize('arch', RECORDED)
def test_the_layouts_of_these_tests_are_the_published_ones(arch: str) -> None:
    lines = [
        f'{name} {shape}' for name, shape in sorted(published.layout(arch).items())
    ]
    digest = hashlib.sha256('\n'.join(lines).encode()).hexdigest()
    assert digest[:12] == RECORDED[arch][0]


@pytest.mark.parametrize('arch', RECORDED)
def test_same_logits_as_the_published_model(arch: str) -> None:
    model = build(arch)
    state = tool.convert(published.weights(arch), arch)
    model.load_state_dict(state, strict=True)
    with torch.no_grad():
        logits = model(image())[0, [0, 33, 66, 99]]
    expected = torch.tensor(RECORDED[arch][1])
    assert (logits - expected).abs().max() <= 1e-4 * expected.abs().max()


@pytest.mark.parametrize(
    'wrap',
    [
        lambda state: {'epoch': 240, 'model': state, 'accuracy': torch.tensor(70.0)},
        lambda state: {'state_dict': state},
        lambda state: state,
        lambda state: {'model': {f'module.{k}': v for k, v in state.items()}},
        lambda state: {'opt': Namespace(lr=0.05, epochs=240), 'model': state},
    ],
    ids=['crd', 'state_dict', 'bare', 'parallel', 'last_of_a_run'],
)
def test_every_form_of_file_loads_strictly(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], wrap: Callable[[dict], object]
) -> None:
    source = published.weights('wrn16-1')
    run(tmp_path, wrap(source), 'wrn16-1')
    assert 'wrn16-1, 100 classes' in capsys.readouterr().out
    model = build('wrn16-1')
    load_checkpoint(model, str(tmp_path / 'out/dst.pth'), strict=True)
    torch.testing.assert_close(model.head.fc.weight, source['fc.weight'])
    tracked = model.backbone.layer1[0].bn1.num_batches_tracked
    assert tracked == 240


def test_the_class_count_is_the_checkpoints(tmp_path: Path) -> None:
    source = published.weights('resnet8')
    source['fc.weight'], source['fc.bias'] = torch.ones(10, 64), torch.zeros(10)
    state = run(tmp_path, {'model': source}, 'resnet8')['state_dict']
    build('resnet8', num_classes=10).load_state_dict(state, strict=True)


def test_old_checkpoints_without_batch_counts(tmp_path: Path) -> None:
    source = {
        name: value
        for name, value in published.weights('resnet8').items()
        if not name.endswith('num_batches_tracked')
    }
    state = run(tmp_path, {'model': source}, 'resnet8')['state_dict']
    model = build('resnet8')
    model.load_state_dict(state, strict=True)
    assert model.backbone.bn1.num_batches_tracked == 0


def test_dhkd_students_lose_their_auxiliary_head(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = published.weights('mobilenetv2')
    for part in ('weight', 'bias'):
        # DHKD has no Sequential around the classifier.
        source[f'classifier.{part}'] = source.pop(f'classifier.0.{part}')
        source[f'classifier2.net.0.{part}'] = torch.zeros(1)
    state = run(tmp_path, {'model': source}, 'mobilenetv2')['state_dict']
    build('mobilenetv2').load_state_dict(state, strict=True)
    assert 'auxiliary head: classifier2.net.0.weight' in capsys.readouterr().out


def rejected(tmp_path: Path, content: object, arch: str) -> str:
    with pytest.raises(SystemExit) as stop:
        run(tmp_path, content, arch)
    # A string goes to standard error, with exit status 1.
    message = stop.value.code
    assert isinstance(message, str)
    assert str(tmp_path / 'src.pth') in message
    assert not (tmp_path / 'out/dst.pth').exists()
    return message


def test_names_what_does_not_fit_another_architecture(tmp_path: Path) -> None:
    message = rejected(tmp_path, {'model': published.weights('wrn16-1')}, 'resnet8')
    assert 'does not fit resnet8' in message
    assert 'missing (backbone.bn1.weight' not in message  # both have a bn1
    assert 'missing (backbone.layer1.0.conv1.weight' in message
    assert 'unexpected (block1.layer.0.bn1.weight' in message


@pytest.mark.parametrize('other', ['resnet20', 'resnet8x4', 'vgg8', 'shufflenetv2'])
def test_every_other_architecture_is_refused(tmp_path: Path, other: str) -> None:
    rejected(tmp_path, {'model': published.weights('resnet8')}, other)


def test_names_a_missing_an_unexpected_and_a_misshapen_key(tmp_path: Path) -> None:
    source = published.weights('resnet8')
    del source['layer2.0.conv1.weight']
    source['layer9.weight'] = torch.zeros(1)
    source['bn1.weight'] = torch.zeros(3)
    message = rejected(tmp_path, {'model': source}, 'resnet8')
    assert '1 missing (backbone.layer2.0.conv1.weight)' in message
    assert '1 unexpected (layer9.weight)' in message
    assert '1 of another shape (bn1.weight (3,) for (16,))' in message


def test_a_missing_classifier_is_named(tmp_path: Path) -> None:
    source = published.weights('resnet8')
    del source['fc.weight'], source['fc.bias']
    message = rejected(tmp_path, {'model': source}, 'resnet8')
    assert '2 missing (head.fc.weight, head.fc.bias)' in message


@pytest.mark.parametrize('content', [[1, 2], {'model': 3}, {'epoch': 1}])
def test_a_file_without_a_state_dict(tmp_path: Path, content: object) -> None:
    assert 'holds no state dict' in rejected(tmp_path, content, 'resnet8')


class Command:
    """Creates a folder if loaded by the ordinary unpickler."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return os.mkdir, (self.path,)


def test_a_file_that_runs_code_is_refused(tmp_path: Path) -> None:
    trace = tmp_path / 'ran'
    content = {'model': published.weights('resnet8'), 'extra': Command(str(trace))}
    assert 'mkdir' in rejected(tmp_path, content, 'resnet8')
    assert not trace.exists()


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    absent = tmp_path / 'absent.pth'
    with pytest.raises(SystemExit, match=r'absent\.pth'):
        tool.main([str(absent), str(tmp_path / 'dst.pth'), '--arch', 'resnet8'])


def test_an_unknown_architecture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        tool.main(['src', 'dst', '--arch', 'resnet7'])
    assert stop.value.code == 2
    assert 'resnet56' in capsys.readouterr().err
