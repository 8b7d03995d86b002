"""Graphs in int8, by onnxruntime's static quantisation.

Its documentation recommends static quantisation for convolutional networks, in the form
of pairs of QuantizeLinear and DequantizeLinear; uint8 activations and int8 weights on
x86, where CPUs without VNNI need 7-bit weights to avoid overflow, and int8 for both on
ARM; a scale per channel if weights differ between channels.
"""

import platform
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor

from mmkd.deploy.graph import IMAGES
from mmkd.deploy.needs import needed
from mmkd.resilience.files import whole_or_nothing

ARM = ('arm64', 'aarch64')
VNNI = ('avx512_vnni', 'avx_vnni')
"""PyTorch's names for the instructions."""


class _Reader:
    """Hands images to the quantiser, one after another."""

    def __init__(self, images: Iterable[Tensor]) -> None:
        self.images: Iterator[Tensor] = iter(images)

    def get_next(self) -> dict[str, Any] | None:
        image = next(self.images, None)
        return None if image is None else {IMAGES: image.contiguous().numpy()}


def quantise(graph: Path, images: Iterable[Tensor], out: Path) -> None:
    """Quantise a graph to int8.

    Args:
        graph: The file of the graph in float32.
        images: Images to calibrate activations on, each ``(1, C, H, W)``: minimum and
            maximum set their range.
        out: The file to write.

    Raises:
        ImportError: If a package is missing.
    """
    quantization = needed('onnxruntime.quantization')
    shapes = needed('onnxruntime.quantization.shape_inference')
    kinds = quantization.QuantType
    on_arm = platform.machine().lower() in ARM
    with whole_or_nothing(out) as partial, TemporaryDirectory() as folder:
        # This folds norms into convolutions. Symbolic shape inference, meant for
        # transformers, fails on dynamic heights and widths.
        prepared = Path(folder, 'prepared.onnx')
        shapes.quant_pre_process(
            str(graph), str(prepared), skip_symbolic_shape=True
        )
        quantization.quantize_static(
            str(prepared),
            str(partial),
            _Reader(images),
            quant_format=quantization.QuantFormat.QDQ,
            activation_type=kinds.QInt8 if on_arm else kinds.QUInt8,
            weight_type=kinds.QInt8,
            per_channel=True,
            reduce_range=not on_arm and not _has_vnni(),
        )


def _has_vnni() -> bool:
    # Older versions of PyTorch do not tell; 7 bits are safe everywhere.
    abilities: dict[str, Any] = getattr(torch.cpu, 'get_capabilities', dict)()
    return any(abilities.get(name, False) for name in VNNI)
