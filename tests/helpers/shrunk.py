"""The trainings of configs, made so small that each takes a second or two."""

from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config

from mmkd.config.changes import set_teacher
from mmkd.models import build_model
from mmkd.models.build import model_dict


class Teachers:
    """Checkpoints of teachers with random weights, each written once.

    Args:
        folder: Where to write them.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files: dict[str, Path] = {}

    def checkpoint(self, config: dict[str, Any], num_classes: int | None) -> str:
        key = repr((config, num_classes))
        if key not in self.files:
            file = self.folder / f'{len(self.files)}.pth'
            model = build_model(config, num_classes)
            torch.save({'state_dict': model.state_dict()}, file)
            self.files[key] = file
        return str(self.files[key])


def shrink(cfg: Config) -> None:
    """Let a config train two steps, or an epoch, on batches of four small images."""
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        _shrink_data(cfg[name], cfg.default_scope == 'mmseg')
    if 'teacher' in cfg.model:
        _shrink_model(cfg.model.student)
        if 'size' in cfg.get('data_preprocessor', {}):
            cfg.data_preprocessor.size = (64, 64)
        if 'config' in cfg.model.teacher:
            teacher = _shrink_model(model_dict(cfg.model.teacher.config))
            cfg.model.teacher.config = teacher
    else:
        _shrink_model(cfg.model)
    if 'max_iters' in cfg.train_cfg:
        cfg.train_cfg.update(max_iters=2, val_interval=2)
    else:
        cfg.train_cfg.update(max_epochs=1, val_interval=1)


def give_teacher(cfg: Config, teachers: Teachers) -> None:
    """Give a shrunk distillation a teacher with random weights."""
    config, classes = cfg.model.teacher.config, cfg.model.get('num_classes')
    set_teacher(cfg, teachers.checkpoint(config, classes))


def _shrink_data(loader: Any, dense: bool) -> None:
    loader.update(batch_size=4, num_workers=0, persistent_workers=False)
    loader.pop('pin_memory', None)
    # Serialising collects Python's garbage, which takes longer than training.
    loader.dataset.serialize_data = False
    for step in loader.dataset.pipeline:
        if 'scale' in step:
            step.scale = (96, 64) if dense else 32
        if 'crop_size' in step:
            step.crop_size = (64, 64) if dense else 32


def _shrink_model(model: dict[str, Any]) -> dict[str, Any]:
    """A segmentor of the same kind whose widest map has 64 channels."""
    # The demo's, which joins several maps, is small.
    if model['type'] == 'EncoderDecoder' and isinstance(
        model['decode_head']['in_channels'], int
    ):
        model['pretrained'] = None
        if 'data_preprocessor' in model:
            model['data_preprocessor']['size'] = (64, 64)
        model['backbone'].update(depth=18, stem_channels=8, base_channels=8)
        model['decode_head'].update(in_channels=64, channels=8)
        if 'auxiliary_head' in model:
            model['auxiliary_head'].update(in_channels=32, channels=8)
    return model
