"""What a program must know to use a graph, as metadata of the graph."""

from typing import Any

import torch
from mmengine.config import Config

import mmkd
from mmkd.checks.places import datasets_of
from mmkd.deploy.network import Network
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
    mean, std, reverses = normalisation_of(network.model.data_preprocessor)
    task = network.view.task
    return dict(
        mean=mean.expand(channels).tolist(),
        std=std.expand(channels).tolist(),
        channel_order=_channel_order(cfg, channels, reverses),
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


def _channel_order(cfg: Config, channels: int, reverses: bool) -> str | None:
    """The channel order of a network's input; None if unknown."""
    if channels == 1:
        return 'grey'
    if channels != 3:
        return None
    datasets: list[Any] = []
    for loader in ('val_dataloader', 'test_dataloader'):
        datasets = datasets or [dataset for _, dataset in datasets_of(cfg, [loader])]
    if not datasets:
        return None
    steps = [step for each in datasets for step in each.get('pipeline') or ()]
    # OpenCV reads files as BGR; data sets that hold their images themselves use RGB.
    read = any(str(step['type']).endswith('LoadImageFromFile') for step in steps)
    return 'RGB' if read == reverses else 'BGR'
