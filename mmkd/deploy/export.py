"""Export of a network to an ONNX file, kept only if it computes the same."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from torch import Tensor

from mmkd.deploy.facts import facts_of
from mmkd.deploy.graph import OPSET, Graph, trace
from mmkd.deploy.needs import needed
from mmkd.deploy.network import Network
from mmkd.deploy.parity import Difference, check
from mmkd.resilience.files import whole_or_nothing


def export(
    network: Network,
    cfg: Config,
    images: Sequence[Tensor],
    path: Path,
    fixed: bool = False,
    opset: int = OPSET,
    tell: Callable[[Difference], object] = lambda difference: None,
) -> dict[str, Any]:
    """Export a network to an ONNX file and check it.

    Args:
        network: The network.
        cfg: Its config.
        images: Images to check it on, each ``(1, C, H, W)``.
        path: The file to write; its folder is created.
        fixed: Whether to support only images of the first one's size.
        opset: The ONNX opset version.
        tell: Called with each difference that was measured.

    Returns:
        The metadata of the file.

    Raises:
        ValueError: If the network cannot be exported, or the graph computes something
            else. No file is left in that case.
        ImportError: If a package is missing.
    """
    size = (images[0].shape[2], images[0].shape[3]) if fixed else None
    graph = trace(network, size, opset)
    facts = facts_of(network, cfg, opset, size)
    for key, value in facts.items():
        graph.metadata_props.add(key=key, value=json.dumps(value))
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_or_nothing(path) as partial:
        needed('onnx').save(graph, str(partial))
        for found in check(network, Graph(partial), images, fixed):
            tell(found)
    return facts
