"""The forms in which a network runs: PyTorch, onnxruntime, onnxruntime in int8."""

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from torch import Tensor

from mmkd.deploy.export import export
from mmkd.deploy.graph import Graph
from mmkd.deploy.images import at_size
from mmkd.deploy.int8 import quantise
from mmkd.deploy.latency import Latency, latencies
from mmkd.deploy.network import Network
from mmkd.deploy.scoring import LogitsOf, score
from mmkd.models.summary import multiply_adds

PYTORCH, FLOAT, INT8 = 'PyTorch', 'onnxruntime', 'onnxruntime int8'


@dataclass
class Form:
    """One way to run a network.

    Attributes:
        runtime: What runs it.
        megabytes: Size of its file, or of its weights in PyTorch.
        logits_of: Computes its logits.
        latency: How long it takes; None until it is timed.
        scores: By name; empty until it is evaluated.
    """

    runtime: str
    megabytes: float
    logits_of: LogitsOf
    latency: Latency | None = None
    scores: dict[str, float] = field(default_factory=dict)


@dataclass
class Subject:
    """A network to measure, in all its forms.

    Attributes:
        name: Its role among the networks.
        network: The network.
        parameters: How many it has.
        products: Its multiply-adds per image, or why they are not counted.
        forms: The forms in which it runs.
        notes: What cannot be measured, and why.
    """

    name: str
    network: Network
    parameters: int
    products: int | str
    forms: list[Form]
    notes: list[str]


def subject_of(
    name: str,
    network: Network,
    cfg: Config,
    images: Sequence[Tensor],
    calibration: Sequence[Tensor],
    folder: Path,
    threads: int = 1,
) -> Subject:
    """Build all forms that a network can have.

    Args:
        name: Its name.
        network: The network.
        cfg: Its config.
        images: Images to check graphs on, each ``(1, C, H, W)``, of the size that is
            timed.
        calibration: Images to calibrate int8 on; empty for no int8.
        folder: The folder for the graphs.
        threads: How many threads onnxruntime uses.

    Raises:
        ImportError: If a package is missing.
    """

    def in_pytorch(batch: Tensor) -> Tensor:
        with torch.inference_mode():
            return network(batch)

    found = Subject(
        name,
        network,
        network.parameters_count,
        multiply_adds(network.view, images[0][0]),
        [Form(PYTORCH, network.megabytes, in_pytorch)],
        [],
    )
    path = folder / f'{name}.onnx'
    try:
        try:
            export(network, cfg, images, path)
        except ValueError as error:
            found.notes.append(f'{name}: {error}')
            export(network, cfg, images, path, fixed=True)
            calibration = at_size(calibration, images[0].shape[2:])
        found.forms.append(_form(FLOAT, path, threads))
        if calibration:
            small = folder / f'{name}_int8.onnx'
            # The quantiser prints advice on its own defaults.
            with contextlib.redirect_stdout(io.StringIO()):
                quantise(path, calibration, small)
            found.forms.append(_form(INT8, small, threads))
    except ImportError:
        raise
    except Exception as error:
        # The quantiser and the runtime may raise anything.
        found.notes.append(f'{name}: {type(error).__name__}: {error}')
    return found


def time_all(subjects: Sequence[Subject], image: Tensor, seconds: float) -> None:
    """Time all forms of all networks in turns.

    Args:
        subjects: The networks; their latencies are set.
        image: One ``(1, C, H, W)``, normalised.
        seconds: See :func:`latencies`.
    """
    forms = [form for each in subjects for form in each.forms]
    calls = [partial(form.logits_of, image) for form in forms]
    for form, latency in zip(forms, latencies(calls, seconds), strict=True):
        form.latency = latency


def score_all(subject: Subject, cfg: Config, dataset: Any, count: int) -> None:
    """Evaluate all forms of a network on the same images.

    Args:
        subject: The network; its scores are set, or a note that says why not.
        cfg: See :func:`score`, likewise the rest.
        dataset: The validation set.
        count: How many images.
    """
    for form in subject.forms:
        try:
            form.scores = score(subject.network, form.logits_of, cfg, dataset, count)
        except Exception as error:
            # Evaluators, and graphs of a fixed size, may raise anything.
            reason = f'no score: {error}'
            subject.notes.append(f'{subject.name} in {form.runtime}: {reason}')


def _form(runtime: str, path: Path, threads: int) -> Form:
    return Form(runtime, path.stat().st_size / 1e6, Graph(path, threads))
