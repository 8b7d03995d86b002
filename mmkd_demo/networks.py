"""The demo's networks, asked some questions."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from mmengine.dataset import pseudo_collate

from mmkd.report.seen.networks import student_of
from mmkd.report.seen.sample import read_sample
from mmkd.runs import Run


@dataclass(frozen=True)
class Network:
    """A trained network.

    Attributes:
        name: What it is called.
        answers: MMEngine's data samples, one for each image that was asked.
        dataset_meta: What its data set says of the classes.
    """

    name: str
    answers: list[Any]
    dataset_meta: dict[str, Any]


@torch.no_grad()
def ask(name: str, run: Run, asked: Callable[[int], Iterable[int]]) -> Network:
    """Let what a training has left answer.

    Args:
        name: What to call it.
        run: The training.
        asked: Chooses, of so many validation images, those to answer.
    """
    network, images = student_of(run), read_sample(run.settings, 1).dataset
    batch = pseudo_collate([images[number] for number in asked(len(images))])
    data = network.model.data_preprocessor(batch, False)
    answers = network.predict(data['inputs'], data['data_samples'])
    return Network(name, list(answers), images.metainfo)
