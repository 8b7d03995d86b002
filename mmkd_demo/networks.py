"""Predictions of the demo's networks."""

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
        name: Its name.
        answers: MMEngine's data samples with predictions, one per image.
        dataset_meta: Meta information of its data set, such as the classes.
    """

    name: str
    answers: list[Any]
    dataset_meta: dict[str, Any]


@torch.no_grad()
def ask(name: str, run: Run, asked: Callable[[int], Iterable[int]]) -> Network:
    """Predict with the student of a finished training.

    Args:
        name: The name of the network.
        run: The training.
        asked: Selects validation images, given their number.
    """
    network, images = student_of(run), read_sample(run.settings, 1).dataset
    batch = pseudo_collate([images[number] for number in asked(len(images))])
    data = network.model.data_preprocessor(batch, False)
    answers = network.predict(data['inputs'], data['data_samples'])
    return Network(name, list(answers), images.metainfo)
