"""The score of logits, by the evaluator of a config."""

import copy
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from numbers import Real
from typing import Any

import torch
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.logging import MMLogger
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.utils.data import Subset

from mmkd.checks.places import several
from mmkd.deploy.network import Network
from mmkd.evenly import evenly
from mmkd.registry import scope_of
from mmkd.runs.scores import SCORES

LogitsOf = Callable[[Tensor], Tensor]
"""From normalised images to logits."""


def score(
    network: Network, logits_of: LogitsOf, cfg: Config, dataset: Any, count: int
) -> dict[str, float]:
    """Evaluate logits in the same way as the network's own.

    Preprocessing, sliding windows over large images, and postprocessing of logits are
    the model's.

    Args:
        network: The network that the logits belong to.
        logits_of: Computes them.
        cfg: The config, whose validation loader and evaluator are used.
        dataset: Its validation set.
        count: How many images, evenly spread, at most.

    Returns:
        What the evaluator's metrics return, without lists and matrices, such as a
        value per class.

    Raises:
        ValueError: If the config has no evaluator, or the model lacks backbone or head.
    """
    if not cfg.get('val_evaluator'):
        raise ValueError('the config has no val_evaluator')
    chosen = Subset(dataset, evenly(len(dataset), count))
    settings = dict(cfg.val_dataloader, dataset=chosen, num_workers=0)
    for name in ('persistent_workers', 'pin_memory', 'prefetch_factor'):
        settings.pop(name, None)
    model = _around(network, logits_of)
    with scope_of(cfg), _quietly():
        loader = Runner.build_dataloader(settings)
        evaluator = Evaluator(several(cfg.val_evaluator))
        evaluator.dataset_meta = getattr(dataset, 'metainfo', None)
        for batch in loader:
            with torch.no_grad():
                evaluator.process(model.val_step(batch), batch)
        found = evaluator.evaluate(len(chosen))
    return {name: float(value) for name, value in found.items() if _is_single(value)}


def _is_single(value: Any) -> bool:
    return isinstance(value, Real) or (isinstance(value, Tensor) and value.ndim == 0)


def leading(scores: dict[str, float]) -> str | None:
    """The name of the main score; None if there is none."""
    return next(iter([name for name in SCORES if name in scores] or scores), None)


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep metrics from logging per-class tables."""
    logger = MMLogger.get_current_instance()
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def _around(network: Network, logits_of: LogitsOf) -> Any:
    """A copy of its model that only computes these logits, in the place of its head.

    Raises:
        ValueError: If the model has no separate backbone and head.
    """
    shell = copy.deepcopy(network.model)
    head = getattr(shell, 'decode_head', None) or getattr(shell, 'head', None)
    if head is None or not hasattr(shell, 'backbone'):
        raise ValueError(
            f'{type(shell).__name__} has no backbone and head that other logits could '
            'replace'
        )
    # The last of cascaded heads predicts.
    *others, last = head if isinstance(head, nn.ModuleList) else [head]
    for part in (shell.backbone, getattr(shell, 'neck', None), *others):
        if part is not None:
            part.forward = lambda images, *_: images
    last.forward = lambda images, *_: logits_of(images)
    if network.channels is not None and hasattr(shell, 'out_channels'):
        # Sliding windows are added up in a tensor of so many.
        shell.out_channels = len(network.channels)
    return shell
