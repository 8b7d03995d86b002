"""ONNX graphs: traced from a network, and run by onnxruntime."""

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mmkd.deploy.any_size import AnySize
from mmkd.deploy.needs import needed
from mmkd.deploy.network import Network
from mmkd.models.probing import FAILURES

IMAGES, LOGITS = 'images', 'logits'
"""Names of the input and the output of a graph."""

AXES = {0: 'batch', 2: 'height', 3: 'width'}
TRACED = (128, 160), (1184, 1312)
"""Height and width of the traced image if both are dynamic; the second if, traced with
the first, the network takes no larger images.

They differ, and leave several pixels after a stride of 32, the second also after one of
64 and a pooling by 8 as in DDRNet: if a feature map has one pixel, the exporter assumes
that it always does. The second is no multiple of 64: a size that needs no padding would
be taken for the rule.
"""

OPSET = 18
"""The one that PyTorch's exporter writes; some networks can be converted to an older
one."""


class _Traced(nn.Module):
    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        with AnySize():
            return self.network(images)


def trace(
    network: Network, size: tuple[int, int] | None = None, opset: int = OPSET
) -> Any:
    """Trace a network to an ONNX graph with a dynamic batch size.

    Args:
        network: The network.
        size: Height and width that all images have; None for any.
        opset: The ONNX opset version.

    Returns:
        The graph, an ``onnx.ModelProto``.

    Raises:
        ValueError: If the network does not support images of any size, or uses
            something that this opset lacks, or cannot be converted to it, or if ONNX
            has no such opset; the message says what.
        ImportError: If a package is missing.
    """
    needed('onnxscript')
    newest = needed('onnx').defs.onnx_opset_version()
    if opset > newest:
        raise ValueError(f'opset {opset} is later than the newest, {newest}.')
    program, image, names = _program(network, size)
    try:
        with _unlogged():
            written: Any = torch.onnx.export(
                program,
                (image,),
                dynamo=True,
                opset_version=opset,
                input_names=[IMAGES],
                output_names=[LOGITS],
                verbose=False,
            )
    except (*FAILURES, torch.onnx.OnnxExporterError) as error:
        raise ValueError(
            f'{network.kind} cannot use opset {opset}: {_first_line(str(error))}'
        ) from error
    graph = written.model_proto
    versions = {each.domain: each.version for each in graph.opset_import}
    if versions.get('') != opset:
        raise ValueError(
            f'{network.kind} cannot be converted to opset {opset}: choose '
            f'{versions.get("")}.'
        )
    _name_axes(graph.graph, names)
    _forget_origin(graph.graph)
    return graph


def _program(
    network: Network, size: tuple[int, int] | None
) -> tuple[Any, Tensor, dict[str, str]]:
    """A network's operations, the image they are traced with, and names of its axes."""
    free = (0,) if size else tuple(AXES)
    shapes = (dict.fromkeys(free, torch.export.Dim.DYNAMIC),)
    least, most = dict[str, Any](), dict[str, Any]()
    for traced in (size,) if size else TRACED:
        image = torch.zeros(2, network.view.in_channels, *traced)
        try:
            with torch.no_grad():
                program = torch.export.export(
                    _Traced(network), (image,), dynamic_shapes=shapes, strict=False
                )
        except FAILURES as error:
            raise ValueError(_refused(network, size, str(error))) from error
        outputs = len(program.graph_signature.user_outputs)
        if outputs != 1:
            raise ValueError(
                f'{network.kind} cannot be exported: it has {outputs} outputs, such as '
                'those of several tasks, and the file has one, the logits.'
            )
        [given] = [
            node.meta['val'] for node in program.graph.nodes if node.target == IMAGES
        ]
        names = {str(given.shape[axis]): AXES[axis] for axis in free}
        limits = {
            names.get(str(symbol), ''): limit
            for symbol, limit in program.range_constraints.items()
        }
        # What only larger images pass through is no network for smaller ones.
        lower = {name: limit.lower for name, limit in limits.items()}
        if any(lower[name] > least.get(name, lower[name]) for name in lower):
            break
        least = lower
        most = {
            name: limit.upper
            for name, limit in limits.items()
            if limit.is_bool or limit.upper < 2**31
        }
        if not most:
            return program, image, names
    name, upper = next(iter(most.items()))
    raise ValueError(_refused(network, size, f'{name} can be at most {upper}'))


@contextmanager
def _unlogged() -> Iterator[None]:
    """Without the exporter's log of a conversion that fails: an error says it."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        yield
    finally:
        logging.disable(before)


def _refused(network: Network, size: tuple[int, int] | None, reason: str) -> str:
    of = f'of {size[0]} x {size[1]}' if size else 'of any size'
    advice = '' if size else ' --fixed exports it for images of one size.'
    for axis, name in AXES.items():
        reason = reason.replace(f"L['{IMAGES}'].size()[{axis}]", name)
    constant = re.findall(r'marked (\w+) as dynamic but your code special', reason)
    if constant:
        reason = f'its code makes a constant of {" and of ".join(constant)}'
    reason = _first_line(reason).partition('! For more information')[0]
    return f'{network.kind} cannot be exported for images {of}: {reason}.{advice}'


def _first_line(reason: str) -> str:
    lines = [line.strip() for line in reason.splitlines() if line.strip()]
    return lines[0].rstrip('.') if lines else 'no reason given'


def _name_axes(graph: Any, names: Mapping[str, str]) -> None:
    """Rename dynamic axes from the exporter's symbols to what they are."""
    for value in (*graph.input, *graph.output, *graph.value_info):
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param:
                dim.dim_param = re.sub(
                    r'\w+', lambda found: names.get(found[0], found[0]), dim.dim_param
                )


def _forget_origin(graph: Any) -> None:
    """Drop the exporter's notes on where each part comes from, including file paths."""
    graph.ClearField('metadata_props')
    parts = (graph.node, graph.input, graph.output, graph.value_info, graph.initializer)
    for part in chain(*parts):
        part.ClearField('metadata_props')


class GraphError(RuntimeError):
    """onnxruntime cannot run a graph on these images."""


class Graph:
    """An ONNX file of :func:`trace`, run by onnxruntime on the CPU.

    Args:
        path: The file.
        threads: How many threads a run uses.

    Raises:
        ImportError: If onnxruntime is missing.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        runtime = needed('onnxruntime')
        options = runtime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 3
        self.session = runtime.InferenceSession(
            str(path), options, providers=['CPUExecutionProvider']
        )

    @property
    def facts(self) -> dict[str, str]:
        """The file's metadata, JSON by key."""
        found: dict[str, str] = self.session.get_modelmeta().custom_metadata_map
        return found

    def __call__(self, images: Tensor) -> Tensor:
        """Logits of normalised images ``(N, C, H, W)``.

        Raises:
            GraphError: If the graph does not run on them.
        """
        try:
            [logits] = self.session.run(None, {IMAGES: images.contiguous().numpy()})
        # onnxruntime's own have no common type.
        except Exception as error:
            raise GraphError(_first_line(str(error))) from error
        return torch.from_numpy(logits)
