"""The frozen teacher: built, loaded, checked, and run without gradient."""

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any

import torch
from mmengine.logging import print_log
from mmengine.model import revert_sync_batchnorm
from mmengine.runner import CheckpointLoader
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from mmkd.checkpoints.identity import fingerprint
from mmkd.checkpoints.weight_fit import load_whole
from mmkd.checkpoints.weights import weights_for
from mmkd.models.build import build_model, model_dict
from mmkd.models.class_names import names_in
from mmkd.models.discovery import OUTPUT, ModelView
from mmkd.models.taps import Tap, capture
from mmkd.models.teachers.classes import TeacherClasses
from mmkd.nearest import listed
from mmkd.registry import TEACHERS

HOW_TO_PASS = (
    'Pass a checkpoint file with `--teacher FILE`, or set '
    '`model.teacher.checkpoint` in the config; `python tools/train.py` with what '
    '`model.teacher.config` names trains one. A trained student needs no teacher: '
    'student.py, beside its checkpoints, is its config.'
)

REORDERS = ('to_rgb', '_channel_conversion', 'channel_conversion')
"""How MMPretrain, MMEngine and the original MMSegmentation name their switch."""


@TEACHERS.register_module()
class FrozenTeacher:
    """A teacher that is only ever run forwards.

    It is no ``nn.Module`` on purpose: the distiller's parameters, state dict,
    training mode, data parallelism and averaged copies do not know of it.

    Args:
        config: The teacher's model dict or config path.
        checkpoint: File, URL or any other scheme of MMEngine's
            ``CheckpointLoader``. Read with ``weights_only=True``.
        num_classes: Overrides the class count of the config where given.
        classifier: Path of the main classifier, where discovery shall be
            overridden.
        classes: The order of its classes by hand, where the names in the
            checkpoint do not tell it, see :class:`TeacherClasses`.

    Attributes:
        identity: The fingerprint of its weights.
        classes: The order of its classes.
        preprocesses: Whether its config says how its images are normalised.

    Raises:
        ValueError: If there is no checkpoint, it does not fit the model, or its
            weights are not finite.
        OSError: If the checkpoint cannot be reached.
    """

    def __init__(
        self,
        config: str | dict[str, Any],
        checkpoint: str | None = None,
        num_classes: int | None = None,
        classifier: str | None = None,
        classes: str | Sequence[str | int] | None = None,
    ) -> None:
        if not checkpoint:
            raise ValueError(f'the teacher has no checkpoint. {HOW_TO_PASS}')
        config = model_dict(config)
        model = build_model(config, num_classes)
        names = load_weights(model, checkpoint)
        self.identity = fingerprint(model.state_dict())
        self.preprocesses = config.get('data_preprocessor') is not None
        self.model = revert_sync_batchnorm(model).eval().requires_grad_(False)
        self.view = ModelView(self.model, classifier, 'teacher')
        self.classes = TeacherClasses(self.view, names, classes)
        self._renormalise: tuple[bool, Tensor, Tensor] | None = None

    def match_inputs(self, preprocessor: Any) -> None:
        """Feed the teacher what it was trained on.

        A teacher whose config brings no data preprocessor is taken to have
        been trained with the student's. Where the student's preprocessor
        normalises otherwise than the teacher's own (mean, std or channel
        order), its images are converted on the way in. Padding that was added
        after the student's normalisation is converted like image content.

        Args:
            preprocessor: The student's data preprocessor.
        """
        if not self.preprocesses:
            return
        mean, std, reorders = _normalisation(self.model.data_preprocessor)
        student_mean, student_std, student_reorders = _normalisation(preprocessor)
        # Preprocessors reverse three channels alone, whatever they are told.
        flip = reorders != student_reorders and self.view.in_channels == 3
        if flip:
            student_mean, student_std = student_mean.flip(0), student_std.flip(0)
        scale, shift = student_std / std, (student_mean - mean) / std
        if flip or (scale != 1).any() or (shift != 0).any():
            self._renormalise = flip, scale.view(-1, 1, 1), shift.view(-1, 1, 1)

    @cached_property
    def logits(self) -> set[Tap]:
        """Where its class predictions are captured."""
        try:
            return {OUTPUT, self.view.logits}
        except ValueError:
            # No single layer puts them out.
            return {OUTPUT}

    @torch.no_grad()
    def __call__(self, inputs: Tensor, taps: Iterable[Tap]) -> dict[Tap, Tensor]:
        """Run the teacher as far as the deepest tap.

        Args:
            inputs: Images ``(N, C, H, W)`` as the student gets them.
            taps: What to capture.

        Returns:
            The captured tensors, without gradient; class predictions in the
            order of the student's classes.

        Raises:
            ValueError: If class predictions are asked for that no student's can be
                compared with.
        """
        with capture(
            self.model, taps, stop_when_filled=True, image_size=inputs.shape[2:]
        ) as values:
            self.model(self._converted(inputs), mode='tensor')
        if self.classes.channels is not None or self.view.refused:
            for tap in self.logits & values.keys():
                values[tap] = self.classes.select(values[tap])
        return values

    @torch.no_grad()
    def predict(
        self, inputs: Tensor, data_samples: Sequence[BaseDataElement]
    ) -> Sequence[BaseDataElement]:
        """Predict as a model of its own.

        Args:
            inputs: Images ``(N, C, H, W)`` as the student gets them.
            data_samples: Their annotations.

        Returns:
            The annotations with predictions, whose classes are the teacher's.
        """
        return self.model(self._converted(inputs), data_samples, mode='predict')

    def _converted(self, inputs: Tensor) -> Tensor:
        if self._renormalise is None:
            return inputs
        flip, scale, shift = self._renormalise
        inputs = inputs.flip(1) if flip else inputs
        return inputs * scale.to(inputs) + shift.to(inputs)

    def apply(self, fn: Callable[[Tensor], Tensor]) -> None:
        """Move or cast the weights, as ``nn.Module._apply`` does."""
        self.model._apply(fn)

    def __deepcopy__(self, memo: dict[int, Any]) -> 'FrozenTeacher':
        """An averaged or copied distiller shares its teacher."""
        return self


def _normalisation(preprocessor: Any) -> tuple[Tensor, Tensor, bool]:
    """Mean and std, of each channel or of all, and whether channels are reversed."""
    reorders = any(getattr(preprocessor, name, False) for name in REORDERS)
    if not getattr(preprocessor, '_enable_normalize', False):
        return torch.zeros(1), torch.ones(1), reorders
    mean, std = preprocessor.mean.flatten(), preprocessor.std.flatten()
    return mean.float(), std.float(), reorders


def load_weights(model: nn.Module, checkpoint: str) -> list[str] | None:
    """Load a checkpoint into a model that must not stay random.

    Accepts checkpoints of MMEngine, MMSegmentation and MMPretrain (their
    training checkpoints and mmkd's too), bare state dicts, and what
    :func:`mmkd.checkpoints.weights.weights_for` finds.

    Args:
        model: The model that receives the weights.
        checkpoint: Anything that MMEngine's ``CheckpointLoader`` reaches.

    Returns:
        The names of its classes, where the checkpoint holds them.

    Raises:
        ValueError: If a weight is missing, has another shape or is no number that
            training gives; the message names the first few.
        OSError: If the checkpoint cannot be reached.
    """
    try:
        content = CheckpointLoader.load_checkpoint(checkpoint, map_location='cpu')
    except OSError as error:
        raise OSError(
            f'the teacher checkpoint {checkpoint!r} cannot be reached: '
            f'{str(error).rstrip(".")}. {HOW_TO_PASS}'
        ) from error
    source = f"the teacher's checkpoint {checkpoint!r}"
    state = weights_for(model, content, source)
    unread = load_whole(model, state, source)
    unread = [name for name in unread if not name.startswith('methods.')]
    if unread:
        print_log(
            f'Of {checkpoint!r} the teacher does not use: {listed(unread)}',
            logger='current',
        )
    return names_in(content)
