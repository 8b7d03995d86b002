"""The demo's networks: trained quietly, scored, and asked some questions."""

from collections.abc import Callable, Iterable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import Any, TextIO

import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.runner import Runner, find_latest_checkpoint
from torch import nn

from mmkd_demo.progress import ProgressHook


@dataclass(frozen=True)
class Network:
    """A trained network.

    Attributes:
        name: What it is called.
        parameters: How many it has where it is deployed.
        score: Its mIoU or accuracy on the validation images, in percent.
        checkpoint: The file of its last checkpoint.
        answers: MMEngine's data samples, one for each image that was asked.
        dataset_meta: What its data set says of the classes.
    """

    name: str
    parameters: int
    score: float
    checkpoint: str
    answers: list[Any]
    dataset_meta: dict[str, Any]


def train_network(
    name: str,
    cfg: Config,
    metric: str,
    asked: Callable[[int], Iterable[int]],
    log: TextIO,
    terminal: TextIO,
) -> Network:
    """Train the network of a config, and let it answer.

    Args:
        name: What to call it.
        cfg: The config; logs and checkpoints go to its ``work_dir``.
        metric: The key of its score among MMEngine's metrics.
        asked: Chooses, of so many validation images, those to answer.
        log: Gets all that MMEngine and the libraries around it print.
        terminal: Gets the progress alone.
    """
    progress = ProgressHook(name, terminal)
    try:
        with redirect_stdout(log), redirect_stderr(log):
            runner = Runner.from_cfg(cfg)
            runner.register_hook(progress)
            model = runner.train()
    finally:
        progress.close()
    images = runner.val_dataloader.dataset
    batch = pseudo_collate([images[number] for number in asked(len(images))])
    with torch.no_grad():
        answers = model.eval().test_step(batch)
    return Network(
        name=name,
        parameters=deployed_parameters(model),
        score=runner.message_hub.get_scalar(f'val/{metric}').current(),
        checkpoint=find_latest_checkpoint(runner.work_dir),
        answers=answers,
        dataset_meta=images.metainfo,
    )


def deployed_parameters(model: nn.Module) -> int:
    """How many parameters a model has without what served its training alone."""
    named = model.named_parameters()
    return sum(p.numel() for name, p in named if not name.startswith('methods.'))
