"""Work directories as trainings leave them, made without training."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from tiny_models import Tiny

from mmkd.models import build_model
from mmkd.runs import Run, read_run

MISSING = dict(config='big.py', checkpoint='big.pth')
STUDENT = dict(type='ImageClassifier', backbone=dict(type='ResNet', depth=18))


def settings(
    methods: Mapping[str, Any] | None = None,
    seed: int | None = 0,
    length: int = 100,
    student: Mapping[str, Any] = STUDENT,
    teacher: Mapping[str, Any] = MISSING,
    **others: Any,
) -> dict[str, Any]:
    """The config of a training that counts iterations."""
    model = dict(student)
    if methods is not None:
        methods = {name: dict(value) for name, value in methods.items()}
        model = dict(
            type='mmkd.Distiller', student=model, teacher=dict(teacher), methods=methods
        )
    train = dict(type='IterBasedTrainLoop', max_iters=length)
    return dict(model=model, randomness=dict(seed=seed), train_cfg=train) | others


def write_session(
    folder: Path,
    train: Mapping[int, Mapping[str, float]] | None = None,
    val: Mapping[int, Mapping[str, float]] | None = None,
    config: Mapping[str, Any] | None = None,
    name: str = '20260101_000000',
    text: str = '',
) -> Path:
    """Write what one session of a training leaves.

    Args:
        folder: The work directory.
        train: What was logged of training steps.
        val: What was logged of validations, by epoch or iteration.
        config: What was dumped; None for nothing.
        name: Of the session.
        text: Its text log.

    Returns:
        The log of scalars.
    """
    place = folder / name / 'vis_data'
    place.mkdir(parents=True)
    lines = [dict(v, iter=step, step=step) for step, v in (train or {}).items()]
    lines += [dict(values, step=step) for step, values in (val or {}).items()]
    log = place / 'scalars.json'
    log.write_text(''.join(f'{json.dumps(line)}\n' for line in lines))
    (folder / name / f'{name}.log').write_text(text)
    if config is not None:
        Config(dict(config)).dump(str(place / 'config.py'))
    return log


def made_run(
    folder: Path,
    scores: Mapping[int, float] | None = None,
    methods: Mapping[str, Any] | None = None,
    seed: int | None = 0,
    train: Mapping[int, Mapping[str, float]] | None = None,
    key: str = 'mIoU',
    **others: Any,
) -> Run:
    """Write and read a training of 100 iterations with its scores."""
    config = settings(methods, seed, **others)
    val = {step: {key: score} for step, score in (scores or {}).items()}
    losses = {step: dict(loss=100 / step, lr=0.1) for step in range(10, 101, 10)}
    write_session(folder, losses if train is None else train, val, config)
    return read_run(folder)


def save_student(folder: Path, seed: int = 0) -> None:
    """Write random weights as the student that a training has ended with."""
    model = Config(dict(read_run(folder).settings)).model
    torch.manual_seed(seed)
    state = build_model(model).state_dict()
    torch.save(dict(state_dict=state), folder / 'student.pth')


def street_parts(tiny: Tiny, streets: Path) -> dict[str, Any]:
    """The parts of a config that make a tiny segmentor of the streets' two classes."""
    pipeline = [
        dict(type=name)
        for name in ('LoadImageFromFile', 'LoadAnnotations', 'PackSegInputs')
    ]
    pipeline.insert(1, dict(type='Resize', scale=(96, 64), keep_ratio=True))
    prefix = dict(img_path='leftImg8bit/val', seg_map_path='gtFine/val')
    dataset = dict(
        type='CityscapesDataset',
        data_root=str(streets),
        data_prefix=prefix,
        pipeline=pipeline,
    )
    return dict(
        student=tiny.segmentor(classes=19),
        val_dataloader=dict(dataset=dataset),
        default_scope='mmseg',
    )
