"""A trained network as it is deployed: from normalised images to logits."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.config import Config
from mmengine.model import revert_sync_batchnorm
from torch import Tensor, nn

from mmkd.checkpoints.loading import safe_load
from mmkd.checkpoints.weight_fit import load_whole
from mmkd.checkpoints.weights import weights_for
from mmkd.deploy.names import names_in_config
from mmkd.models.build import build_model, model_dict, model_in
from mmkd.models.class_names import names_in
from mmkd.models.deploy import student_config
from mmkd.models.discovery import ModelView
from mmkd.models.tasks import threshold_of
from mmkd.models.teachers.frozen import FrozenTeacher
from mmkd.models.teachers.recorded import SETTINGS
from mmkd.nearest import listed

AUXILIARY = 'auxiliary_head'
"""Attribute of MMSegmentation's models with heads that run only in training."""

LEFT_OUT = re.compile(r'methods\.|ema_|data_preprocessor\.|(.*\.)?(aux|.*loss)', re.I)
"""Names of weights that a deployed student may lack: methods, averages that MMCV stored
beside the weights, and what only training reads."""


class Network(nn.Module):
    """A classifier or segmentor in evaluation mode, without its training-only parts.

    Args:
        model: The model.
        names: Names of its classes; None if unknown.
        channels: The channels of the model's logits for these classes, in their order;
            None for all, unchanged.
        resized: Whether the logits of pixels are resized to the size of the images.

    Attributes:
        trained_names: The names of its classes in its checkpoint; None without.
        view: What is known about the model.
        divisor: Height and width of its images must be multiples of this.
    """

    channels: Tensor | None
    trained_names: Sequence[str] | None = None

    def __init__(
        self,
        model: Any,
        names: Sequence[str] | None = None,
        channels: Tensor | None = None,
        resized: bool = True,
    ) -> None:
        super().__init__()
        self.model = revert_sync_batchnorm(model).eval().requires_grad_(False)
        if hasattr(model, AUXILIARY):
            setattr(self.model, AUXILIARY, None)
        self.names = list(names) if names else None
        self.register_buffer('channels', channels, persistent=False)
        self.resized = resized
        self.view = ModelView(self.model)

    @property
    def divisor(self) -> int:
        """Its data preprocessor pads height and width to a multiple of this."""
        preprocessor = self.model.data_preprocessor
        test: Mapping[str, Any] = getattr(preprocessor, 'test_cfg', None) or {}
        own: int = getattr(preprocessor, 'pad_size_divisor', 1)
        return test.get('size_divisor') or own

    @property
    def window(self) -> tuple[int, int] | None:
        """Height and width of its sliding window; None if it takes whole images."""
        test: Mapping[str, Any] = getattr(self.model, 'test_cfg', None) or {}
        if not str(test.get('mode')).startswith('slide'):
            return None
        height, width = test['crop_size']
        return height, width

    @property
    def kind(self) -> str:
        """Its name in messages."""
        backbone = getattr(self.model, 'backbone', None)
        own = type(self.model).__name__
        return f'{own} with {type(backbone).__name__}' if backbone is not None else own

    @property
    def parameters_count(self) -> int:
        """The number of its parameters."""
        return sum(parameter.numel() for parameter in self.model.parameters())

    @property
    def megabytes(self) -> float:
        """The size of its weights and statistics."""
        state = self.model.state_dict().values()
        return sum(value.numel() * value.element_size() for value in state) / 1e6

    @property
    def threshold(self) -> float | None:
        """See :func:`mmkd.models.tasks.threshold_of`."""
        return threshold_of(self.model)

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``(N, K)`` of images ``(N, C, H, W)``, or of pixels ``(N, K, *)``."""
        logits: Tensor = self.model(images, mode='tensor')
        if self.channels is not None:
            logits = logits.index_select(1, self.channels)
        if self.resized:
            logits = self.view.task.resize(logits, images.shape[2:])
        return logits


def student_network(cfg: Config, checkpoint: str, resized: bool = True) -> Network:
    """Build the student of a config with trained weights.

    Args:
        cfg: Config of a distillation, or of a model of either library.
        checkpoint: File with its weights, from any training or ``student.pth``.
        resized: See :class:`Network`.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If it is not a checkpoint, or one of another network.
    """
    content = safe_load(checkpoint)
    cfg = student_config(cfg)
    model = build_model(model_in(cfg))
    state = weights_for(model, content, checkpoint)
    unread = [
        name
        for name in load_whole(model, state, checkpoint, AUXILIARY)
        if state[name].is_floating_point() and not LEFT_OUT.match(name)
    ]
    if unread:
        raise ValueError(
            f'{checkpoint} is of another network than {type(model).__name__} of the '
            f'config, which does not have its {listed(unread)}. Pass the config that '
            'the checkpoint was trained with.'
        )
    stored = names_in(content)
    network = Network(model, stored or names_in_config(cfg), resized=resized)
    network.trained_names = stored
    return network


def teacher_network(
    cfg: Config, student: Network, names: Sequence[object] | None = None
) -> tuple[Network, str]:
    """Build the teacher of a distillation, with logits for the data set's classes.

    Args:
        cfg: The distillation.
        student: Its student.
        names: The data set's class names; None for the student's.

    Returns:
        The teacher, and why its weights are random; empty if they are not.

    Raises:
        ValueError: If its checkpoint or its classes do not match.
    """
    names = [str(name) for name in names] if names else student.names
    given = dict(cfg.model.teacher)
    given.setdefault('num_classes', cfg.model.get('num_classes'))
    own = {key: given[key] for key in ('config', *SETTINGS) if key in given}
    checkpoint, missing = given.get('checkpoint'), 'it has no checkpoint'
    if checkpoint:
        try:
            teacher = FrozenTeacher(
                **own, checkpoint=checkpoint, fold=False, channels_last=False
            )
        except OSError as error:
            missing = str(error)
        else:
            teacher.classes.match(names)
            if not teacher.preprocesses:
                teacher.model.data_preprocessor = student.model.data_preprocessor
            return Network(teacher.model, names, teacher.classes.channels), ''
    config = model_dict(own['config'])
    model: Any = build_model(config, own['num_classes'])
    if config.get('data_preprocessor') is None:
        model.data_preprocessor = student.model.data_preprocessor
    return Network(model), missing
