"""What determines a view: the pipeline and the data; and hashes of a few views."""

import copy
import hashlib
import json
import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from torch import Tensor

from mmkd.checkpoints.identity import without
from mmkd.models.build import model_in, student_dict
from mmkd.random_state import random_state_kept
from mmkd.recording.refusals import unrepeatable
from mmkd.recording.stream import batches_of
from mmkd.resilience.label_reading import leaves
from mmkd.resilience.loader import WatchedLoader
from mmkd.resilience.views import Views

PLACES = ('data_root', 'data_prefix', 'ann_file', 'backend_args', 'file_client_args')
"""Settings for the location of data, which a list of the files describes better."""

HOW_HELD = ('lazy_init', 'serialize_data', 'max_refetch', '_scope_')
"""Settings that do not affect samples."""

TRIED = 16
"""Network inputs that are recomputed before a training."""


def pipeline_of(cfg: Config) -> dict[str, Any]:
    """Everything in a config that determines a view.

    Args:
        cfg: The config of a distillation or a plain training.
    """
    model = model_in(copy.deepcopy(cfg))
    student = student_dict(model) if 'student' in model else model
    parts = dict(
        dataset=without(cfg.train_dataloader.dataset, (*PLACES, *HOW_HELD)),
        data_preprocessor=without(student.get('data_preprocessor') or {}, ('_scope_',)),
        skip_corrupt=bool((cfg.get('train_cfg') or {}).get('skip_corrupt')),
    )
    return dict(json.loads(json.dumps(parts, sort_keys=True, default=str)))


def sample_lines(dataset: Any) -> Iterator[str]:
    """A line for each sample: its files with their sizes, or a hash of its pixels.

    Names are relative to the root of the data set, so that it may be moved.

    Args:
        dataset: A training set, which may wrap others.
    """
    found = [getattr(leaf, 'data_root', None) for leaf in leaves(dataset)]
    roots = sorted({str(root) for root in found if root}, key=len, reverse=True)
    for index in range(len(dataset)):
        try:
            info = dataset.get_data_info(index)
        except Exception:
            # It has no list of this kind: only its length is known.
            yield 'not listed'
            continue
        files = [
            f'{_relative(value, roots)} {_size(value)}'
            for name, value in sorted(info.items())
            if name.endswith('_path') and isinstance(value, str)
        ]
        held = [_digest(v) for v in info.values() if isinstance(v, np.ndarray)]
        yield '\t'.join([*files, *held])


def hash_of_lines(lines: list[str]) -> str:
    """The SHA-256 of a list of samples."""
    return hashlib.sha256('\n'.join(lines).encode()).hexdigest()


def input_hashes(
    loader: WatchedLoader, views: Views, preprocessor: Any, rows: list[int]
) -> tuple[list[int], dict[str, str]]:
    """Compute and hash a few network inputs, on the CPU.

    Args:
        loader: The training loader.
        views: The views of the training.
        preprocessor: The student's data preprocessor.
        rows: The row numbers of the inputs.

    Returns:
        The shape of the first, and the SHA-256 of each by its row.

    Raises:
        ValueError: If a row occurs twice, and its inputs differ.
    """
    preprocessor = copy.deepcopy(preprocessor).cpu()
    shape: list[int] = []
    hashes: dict[str, str] = {}
    # Read in this process, each by its key: the training's random state stays.
    with random_state_kept(torch.device('cpu')):
        batches = batches_of(loader, views, [[row] for row in rows], workers=0)
        for row, batch in zip(rows, batches, strict=True):
            image = preprocessor(batch, True)['inputs']
            shape = shape or list(image.shape[1:])
            digest = _tensor_digest(image)
            if hashes.setdefault(str(row), digest) != digest:
                raise unrepeatable(loader.dataset, preprocessor)
    return shape, hashes


def tried_rows(samples: int, views: int) -> list[int]:
    """The rows of the network inputs to recompute, spread over samples and views."""
    total = samples * views
    return sorted({*np.linspace(0, total - 1, min(TRIED, total)).astype(int).tolist()})


def _tensor_digest(tensor: Tensor) -> str:
    content = tensor.contiguous().view(torch.uint8).numpy()
    return hashlib.sha256(content.data).hexdigest()


def _digest(array: np.ndarray) -> str:
    content = np.ascontiguousarray(array)
    return hashlib.blake2b(content.data, digest_size=8).hexdigest()


def _relative(file: str, roots: list[str]) -> str:
    for root in roots:
        folder = f'{root.rstrip("/")}/'
        if file.startswith(folder):
            return file[len(folder) :].lstrip('/')
    return file


def _size(file: str) -> Any:
    try:
        return os.stat(file).st_size
    except OSError:
        # In an object store.
        return 'unknown'
