from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from mmengine.config import Config
from onnx import numpy_helper
from torch import Tensor

from mmkd.deploy import int8
from mmkd.deploy.export import export
from mmkd.deploy.graph import Graph
from mmkd.deploy.images import noise
from mmkd.deploy.int8 import quantise
from mmkd.deploy.network import Network


def test_a_graph_in_int8(
    network: Callable[..., Network],
    nothing: Config,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(int8.platform, 'machine', lambda: 'x86_64')
    own = network('pixels')
    paths = [tmp_path / name for name in ('float.onnx', 'int8.onnx')]
    images = noise(8, (24, 32), own)
    export(own, nothing, images[:2], paths[0])
    seen: list[Tensor] = []

    def calibrating() -> Iterator[Tensor]:
        for image in images:
            seen.append(image)
            yield image

    quantise(paths[0], calibrating(), paths[1])
    assert len(seen) == 8
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in paths}

    graph = onnx.load(paths[1]).graph
    values = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    scales = [
        (values[node.input[0]], values[node.input[1]])
        for node in graph.node
        if node.op_type == 'DequantizeLinear' and node.input[0] in values
    ]
    weights = [(w, scale) for w, scale in scales if w.ndim == 4]
    assert len(weights) > 5
    for weight, scale in weights:
        assert weight.dtype == np.int8
        assert scale.shape == (len(weight),)
    kinds = {
        values[node.input[2]].dtype
        for node in graph.node
        if node.op_type == 'QuantizeLinear'
    }
    assert kinds == {np.dtype('uint8')}

    exact, small = (Graph(path) for path in paths)
    assert small.facts['classes'] == exact.facts['classes']
    # Also for a size that it was not calibrated on.
    for image in (*images, torch.cat(noise(2, (41, 23), own))):
        logits, given = exact(image), small(image)
        assert given.shape == logits.shape
        assert (given - logits).abs().mean() < 0.05 * logits.abs().max()


@pytest.mark.parametrize(('names', 'has'), [({'avx512_vnni': True}, True), ({}, False)])
def test_processors_without_vnni_are_told_apart(
    names: dict[str, bool], has: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, 'get_capabilities', lambda: names)
    assert int8._has_vnni() is has
