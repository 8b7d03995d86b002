"""Every student of the configs computes the same in onnxruntime."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from deployed import PAIRS, looks_trained, of_one_size, whole_student
from mmengine.config import Config
from torch import Tensor, nn

from mmkd.config.experiments import CONFIGS, load_config
from mmkd.deploy import export as exporting
from mmkd.deploy.export import export
from mmkd.deploy.graph import Graph, trace
from mmkd.deploy.images import noise
from mmkd.deploy.network import Network
from mmkd.deploy.parity import TOLERANCE, Difference, difference
from mmkd.models import build_model


def family(model: dict[str, Any]) -> str:
    part = model.get('decode_head') or model['backbone']
    return part['type'].removeprefix('mmkd.')


def student(name: str) -> Network:
    model = whole_student(name)
    for stage in model.backbone.children():
        if isinstance(stage, nn.Sequential):
            drop_repeats(stage)
    return Network(looks_trained(model))


def drop_repeats(stage: nn.Sequential) -> None:
    """Leave out blocks that repeat the one before: they take long to trace."""
    shapes = [[value.shape for value in block.parameters()] for block in stage]
    for number in reversed(range(1, len(stage))):
        is_block = next(stage[number].children(), None) is not None
        if is_block and shapes[number] == shapes[number - 1]:
            del stage[number]


def test_all_families_are_here() -> None:
    pairs = [path.stem for path in (CONFIGS / '_base_' / 'pairs').glob('*.py')]
    students = [load_config(pair).model.student for pair in pairs]
    families = {family(model) for model in students} - {'DepthwiseSeparableASPPHead'}
    assert families == set(PAIRS.values())


@pytest.mark.parametrize('pair', PAIRS)
def test_every_student(pair: str, nothing: Config, tmp_path: Path) -> None:
    network = student(pair)
    found: list[Difference] = []
    size = (40, 56) if network.view.task.spatial_dims else (32, 32)
    images = noise(2, size, network)
    export(network, nothing, images, tmp_path / 'x.onnx', tell=found.append)
    # Sizes that neither the trace nor the check has seen.
    for size in ((33, 64), (71, 43)):
        others = torch.cat(noise(3, size, network))
        graph = Graph(tmp_path / 'x.onnx')
        found.append(difference(graph(others), network(others), others.shape))
    assert len(found) == 6
    assert all(each.relative < TOLERANCE for each in found)
    assert all(each.scale > 1 for each in found)
    assert all(each.alike > 0.99 for each in found)


Make = Callable[..., Network]


def test_what_stands_in_the_file(
    network: Make, nothing: Config, tmp_path: Path
) -> None:
    own = network('pixels', resized=False)
    path = tmp_path / 'new' / 'x.onnx'
    export(own, nothing, noise(2, (16, 24), own), path, opset=19)
    graph = Graph(path)
    facts = {key: json.loads(value) for key, value in graph.facts.items()}
    assert facts['classes'] == ['cat', 'dog', 'eel', 'fox']
    assert (facts['resized'], facts['opset'], facts['size']) == (False, 19, None)
    assert str(Path(exporting.__file__).parent).encode() not in path.read_bytes()
    [images] = graph.session.get_inputs()
    assert (images.name, images.shape) == ('images', ['batch', 3, 'height', 'width'])
    [logits] = graph.session.get_outputs()
    assert (logits.name, logits.shape[:2]) == ('logits', ['batch', 4])


def test_what_computes_something_else_leaves_no_file(
    network: Make, nothing: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, written = network('images'), []
    monkeypatch.setattr(exporting, 'trace', lambda *_: onnx.ModelProto())

    def other(path: Path) -> Callable[[Tensor], Tensor]:
        written.append(path.stat().st_size)
        return lambda images: own(images) + 0.01

    monkeypatch.setattr(exporting, 'Graph', other)
    with pytest.raises(ValueError, match='does not compute what ImageClassifier with'):
        export(own, nothing, noise(2, (16, 16), own), tmp_path / 'x.onnx')
    assert written
    assert not list(tmp_path.iterdir())


def test_a_network_of_one_size(
    network: Make, nothing: Config, tmp_path: Path
) -> None:
    own = of_one_size(network('images'))
    images, path = noise(2, (16, 16), own), tmp_path / 'x.onnx'
    with pytest.raises(ValueError, match=r'ResNet_CIFAR .* any size: .* --fixed'):
        export(own, nothing, images, path)
    export(own, nothing, images, path, fixed=True)
    graph = Graph(path)
    assert json.loads(graph.facts['size']) == [16, 16]
    assert graph.session.get_inputs()[0].shape == ['batch', 3, 16, 16]


def test_a_stride_of_64_and_a_pooling_of_17_pixels(
    nothing: Config, tmp_path: Path
) -> None:
    """As published: what the trace sees as one pixel would stay one."""
    settings = dict(align_corners=False, norm_cfg=dict(type='BN'))
    head = dict(
        type='mmseg.DDRHead',
        in_channels=32,
        channels=8,
        num_classes=4,
        loss_decode=[dict(type='mmseg.CrossEntropyLoss')] * 2,
        **settings,
    )
    backbone = dict(type='mmseg.DDRNet', channels=8, ppm_channels=4, **settings)
    model = dict(type='mmseg.EncoderDecoder', backbone=backbone, decode_head=head)
    own = Network(looks_trained(build_model(dict(model, test_cfg=dict(mode='whole')))))
    export(own, nothing, noise(2, (64, 128), own), tmp_path / 'x.onnx')
    for size in ((64, 64), (1216, 64)):
        images = torch.cat(noise(1, size, own))
        found = difference(
            Graph(tmp_path / 'x.onnx')(images), own(images), images.shape
        )
        assert found.relative < TOLERANCE


def test_several_outputs_are_refused(
    network: Make, nothing: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of MMPretrain's ``MultiTaskHead``."""
    own = network('images')
    monkeypatch.setattr(own, 'forward', lambda images: {'a': images, 'b': images + 1})
    with pytest.raises(ValueError, match='cannot be exported: it has 2 outputs'):
        export(own, nothing, noise(2, (16, 16), own), tmp_path / 'x.onnx')


class OnlyMultiples(nn.Module):
    """Asks for sizes in the way of MMSegmentation's UNet."""

    def forward(self, images: Tensor) -> Tensor:
        assert all(int(side) % 8 == 0 for side in images.shape[2:])
        return images


def test_what_makes_a_size_constant_is_said(network: Make) -> None:
    own = network('pixels')
    own.model.backbone.conv1 = nn.Sequential(OnlyMultiples(), own.model.backbone.conv1)
    message = r'its code makes a constant of height and of width\. --fixed exports'
    with pytest.raises(ValueError, match=message):
        trace(own)
    trace(own, (32, 48))


@pytest.mark.parametrize(
    ('opset', 'message'),
    [
        (5, 'EncoderDecoder with ResNet cannot be converted to opset 5: choose 18'),
        (99, f'opset 99 is later than the newest, {onnx.defs.onnx_opset_version()}'),
    ],
)
def test_an_opset_that_cannot_be(
    network: Make, opset: int, message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    capfd.readouterr()
    with pytest.raises(ValueError, match=message):
        trace(network('pixels'), None, opset)
    assert 'Traceback' not in capfd.readouterr().err


def test_an_older_opset_that_the_network_can_be_converted_to(network: Make) -> None:
    [opset] = [o.version for o in trace(network('pixels'), None, 17).opset_import]
    assert opset == 17
