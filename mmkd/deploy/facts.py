"""What a program must know to use a graph, as metadata of the graph."""

from typing import Any

import torch
from mmengine.config import Config

import mmkd
from mmkd.deploy.network import Network
from mmkd.deploy.pixels import SAME, channel_order
from mmkd.models.teachers.normalisation import normalisation_of


def facts_of(
    network: Network, cfg: Config, opset: int, size: tuple[int, int] | None
) -> dict[str, Any]:
    """The metadata of a graph, plain values by key; see docs/deploy.md.

    Args:
        network: What was traced.
        cfg: Its config, which says how images are read.
        opset: The graph's opset.
        size: Height and width of its images; None for any.
    """
    channels = network.view.in_channels
    mean, std, _ = normalisation_of(network.model.data_preprocessor)
    mean, std = mean.expand(channels), std.expand(channels)
    order = channel_order(cfg, network, mean, std)
    task = network.view.task
    return dict(
        mean=mean.tolist() if order else None,
        std=std.tolist() if order else None,
        channel_order=None if order == SAME else order,
        size_divisor=network.divisor,
        classes=network.names,
        predicts=task.classified,
        threshold=network.threshold,
        resized=network.resized if task.spatial_dims else None,
        size=size,
        opset=opset,
        mmkd=mmkd.__version__,
        torch=torch.__version__,
    )
