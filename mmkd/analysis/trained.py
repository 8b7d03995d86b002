"""Trained models, with the images that they were validated on."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from mmengine.config import Config
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader, Subset

from mmkd.config.changes import set_data_root
from mmkd.config.experiments import load_config
from mmkd.evenly import evenly
from mmkd.models.class_names import names_of
from mmkd.models.deploy import drop_distillation
from mmkd.models.discovery import view_of
from mmkd.runs.run import last_checkpoint
from mmkd.runs.scalars import LOGS


class Trained(NamedTuple):
    """A trained model.

    Attributes:
        model: The distiller with its teacher, or the student; in evaluation mode.
        loader: The loader of its validation images.
    """

    model: Any
    loader: Any

    @property
    def classes(self) -> list[str]:
        """The class names, or class numbers if there are none."""
        names = names_of(self.loader.dataset)
        return list(map(str, names or range(view_of(self.model).class_count)))

    def batches(self, images: int) -> Iterator[dict[str, Any]]:
        """Evenly spread images, preprocessed for the model.

        Args:
            images: How many, at most.
        """
        dataset = self.loader.dataset
        chosen = DataLoader(
            Subset(dataset, evenly(len(dataset), images)),
            batch_size=self.loader.batch_size or 1,
            collate_fn=self.loader.collate_fn,
        )
        for batch in chosen:
            yield self.model.data_preprocessor(batch, False)


def trained(
    work_dir: Path, alone: bool = False, data_root: str | None = None
) -> Trained:
    """Build the model of a training, with the weights of its last checkpoint.

    Args:
        work_dir: Its work directory.
        alone: Whether to build only the student of a distillation.
        data_root: The folder of the data, if it has moved.

    Raises:
        FileNotFoundError: If the folder has no dumped config or no checkpoint.
        ValueError: If it was trained without validation.
    """
    cfg = _config(work_dir)
    if not cfg.get('val_dataloader'):
        raise ValueError(
            f'{work_dir} was trained without validation: its config has no '
            'val_dataloader, whose images are needed.'
        )
    if data_root:
        set_data_root(cfg, data_root)
    if alone:
        drop_distillation(cfg)
    cfg.load_from, cfg.resume = str(_checkpoint(work_dir)), False
    cfg.default_hooks, cfg.custom_hooks = {}, []
    cfg.log_level, cfg.launcher = 'ERROR', 'none'
    # MMEngine reuses visualisers, which then write into the first one's folder.
    cfg.visualizer = dict(type='Visualizer', vis_backends=[])
    with TemporaryDirectory() as folder:
        cfg.work_dir = folder
        runner = Runner.from_cfg(cfg)
        runner.load_or_resume()
        loader = Runner.build_dataloader(cfg.val_dataloader)
    model: nn.Module = runner.model
    return Trained(model.eval(), loader)


def _config(work_dir: Path) -> Config:
    dumped = [log.with_name('config.py') for log in sorted(work_dir.glob(LOGS))]
    if not dumped:
        raise FileNotFoundError(f'{work_dir} is not a work directory: no {LOGS}.')
    return load_config(str(dumped[-1]))


def _checkpoint(work_dir: Path) -> Path:
    path = last_checkpoint(work_dir)
    if path is None or not path.exists():
        raise FileNotFoundError(f'{work_dir} has no checkpoint.')
    return path


def label_and_folder(text: str) -> tuple[str, Path]:
    """Read a work directory, as ``LABEL=WORK_DIR`` or labelled by its name."""
    label, sign, folder = text.partition('=')
    return (label, Path(folder)) if sign else (Path(text).name, Path(text))


def labelled(texts: Sequence[str]) -> dict[str, Path]:
    """Read work directories, each as ``LABEL=WORK_DIR`` or labelled by its name.

    Raises:
        ValueError: If two have the same label.
    """
    found: dict[str, Path] = {}
    for text in texts:
        label, path = label_and_folder(text)
        if label in found:
            raise ValueError(f'{found[label]} and {path} share the label {label!r}.')
        found[label] = path
    return found
