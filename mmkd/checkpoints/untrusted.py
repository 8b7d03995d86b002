"""Making MMEngine read untrusted files as data."""

import re
from functools import wraps
from pathlib import PurePath
from types import ModuleType
from typing import IO, Any

import torch
import yaml
from mmengine.fileio import PickleHandler, YamlHandler
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner
from mmengine.runner import checkpoint as checkpoint_io

from mmkd.checkpoints.addresses import safe_load_url
from mmkd.checkpoints.loading import safe_load
from mmkd.checkpoints.plain_pickle import load_plain_pickle


def read_as_data() -> None:
    """Keep files that MMEngine reads from running code or removing other files."""
    load_checkpoints_safely()
    load_annotations_safely()
    follow_no_path_of_a_checkpoint()


class SafeTorch(ModuleType):
    """``torch`` as MMEngine's checkpoint reader sees it: ``load`` is safe."""

    @staticmethod
    def load(file: Any, map_location: Any = None, **_: Any) -> Any:
        """Read a checkpoint safely, whatever ``weights_only`` the caller passes."""
        return safe_load(file, map_location)

    def __getattr__(self, name: str) -> Any:
        return getattr(torch, name)


def load_checkpoints_safely() -> None:
    """Make MMEngine read every checkpoint with :mod:`mmkd.checkpoints.loading`.

    That covers teachers, pretrained backbones, resumed and tested runs, from
    files, object stores and URLs. The original MMEngine cannot read its own
    training checkpoints with PyTorch 2.6 and later
    (open-mmlab/mmengine#1655); onedl-mmengine allows ``getattr``, which gives
    access to any function, and falls back to ``weights_only=False``.
    """
    checkpoint_io.torch = SafeTorch('torch')
    checkpoint_io.load_url = safe_load_url


SafeLoader: Any = getattr(yaml, 'CSafeLoader', yaml.SafeLoader)
"""The fast one if PyYAML has it: a config of another package reads 50 files."""


class PlainLoader(SafeLoader):
    """Reads plain YAML, and the tuples that MMEngine's dumped configs hold."""


PlainLoader.add_constructor(
    'tag:yaml.org,2002:python/tuple',
    lambda loader, node: tuple(loader.construct_sequence(node, deep=True)),
)


def load_annotations_safely() -> None:
    """Make MMEngine read ``.pkl`` and ``.yaml`` files (``ann_file``) as data."""

    def load_pickle(_: Any, file: IO[bytes], **__: Any) -> Any:
        return load_plain_pickle(file.read(), str(getattr(file, 'name', 'a pickle')))

    def load_yaml(_: Any, file: IO[str], **__: Any) -> Any:
        return yaml.load(file, PlainLoader)

    PickleHandler.load_from_fileobj = load_pickle
    YamlHandler.load_from_fileobj = load_yaml


def follow_no_path_of_a_checkpoint() -> None:
    """Keep MMEngine's hook from removing files other than checkpoints in its folder.

    The checkpoint that training resumes from names the checkpoints to remove
    once there are newer or better ones.
    """
    before_train = CheckpointHook.before_train

    @wraps(before_train)
    def before_train_of_its_own(self: CheckpointHook, runner: Runner) -> None:
        info = runner.message_hub.runtime_info
        if 'keep_ckpt_ids' in info:
            info['keep_ckpt_ids'] = [
                step
                for step in info['keep_ckpt_ids']
                if re.fullmatch(r'\d+(_iter_\d+)?', str(step))
            ]
        before_train(self, runner)
        if self.save_best is None:
            return
        if len(self.key_indicators) == 1:
            self.best_ckpt_path = _own_best(self, self.best_ckpt_path)
        else:
            for metric, path in self.best_ckpt_path_dict.items():
                self.best_ckpt_path_dict[metric] = _own_best(self, path)

    CheckpointHook.before_train = before_train_of_its_own


def _own_best(hook: CheckpointHook, path: Any) -> str | None:
    """The path of a best checkpoint of this name in the hook's folder.

    This way a checkpoint folder that was moved keeps its best one.
    """
    name = PurePath(str(path)).name
    if not (name.startswith('best_') and name.endswith('.pth')):
        return None
    return hook.file_backend.join_path(hook.out_dir, name)
