"""The manifest of a new record."""

from typing import Any

import torch
from mmengine.runner import Runner

import mmkd
from mmkd.checkpoints.identity import hash_of_local
from mmkd.models.class_names import names_of
from mmkd.models.teachers.recorded import SETTINGS, plain_model
from mmkd.recording.notes import notes_of
from mmkd.recording.plan import rows_of_a_shard
from mmkd.recording.sources import (
    hash_of_lines,
    input_hashes,
    pipeline_of,
    sample_lines,
    tried_rows,
)
from mmkd.records.manifest import Manifest
from mmkd.records.stored import StoredTap
from mmkd.resilience.runner_model import model_of


def manifest_of(
    runner: Runner, taps: list[StoredTap], batch: int, score: Any = None
) -> tuple[Manifest, list[str]]:
    """Describe a record.

    Args:
        runner: The runner of the training, whose training loop is built.
        taps: How each tap is stored.
        batch: Samples per batch.
        score: The result of the teacher check.

    Returns:
        The manifest, and a line for each sample.

    Raises:
        ValueError: If a view differs when it is read again.
    """
    distiller, loop = model_of(runner), runner.train_loop
    teacher = distiller.teacher
    settings = {'num_classes': runner.cfg.model.get('num_classes')}
    settings |= runner.cfg.model.teacher
    dataset, views = loop.dataloader.dataset, loop.views
    names, lines = names_of(dataset), list(sample_lines(dataset))
    rows = tried_rows(len(dataset), views.count)
    shape, hashes = input_hashes(
        loop.dataloader, views, distiller.data_preprocessor, [*rows, *rows]
    )
    checkpoint = str(settings['checkpoint'])
    return (
        Manifest(
            mmkd=mmkd.__version__,
            teacher=dict(
                config=plain_model(settings['config']),
                checkpoint=dict(
                    name=checkpoint.rpartition('/')[2],
                    sha256=hash_of_local(checkpoint),
                ),
                weights=teacher.identity,
                classes=None if names is None else [str(name) for name in names],
                num_classes=teacher.view.num_classes,
                settings={name: settings.get(name) for name in SETTINGS},
                precision=str(teacher.dtype or torch.float32).removeprefix('torch.'),
                score=score,
            ),
            views=dict(seed=views.seed, count=views.count),
            pipeline=pipeline_of(runner.cfg),
            data=dict(samples=len(lines), sha256=hash_of_lines(lines)),
            inputs=dict(shape=shape, hashes=hashes),
            taps=taps,
            rows=rows_of_a_shard(taps, batch, len(lines) * views.count),
            notes=notes_of(runner),
        ),
        lines,
    )
