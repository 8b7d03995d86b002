"""Knowledge review."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mmkd.models.adapters import AttentionFusion
from mmkd.models.discovery import ModelView, Stage
from mmkd.models.methods.base import Method
from mmkd.models.methods.feature import map_shape
from mmkd.models.methods.values import at_least
from mmkd.models.taps import Tap, Taps
from mmkd.registry import METHODS, MODELS
from mmkd.structures import Targets


@METHODS.register_module()
class ReviewKD(Method):
    """Teach every stage from the teacher's stages up to its own.

    Starting at the deepest level, each feature map is fused with the result
    of the deeper levels and compared with the teacher's at its level. The levels are
    the ends of the stages and the main classifier's input, which for images is
    a map of one pixel. Images and pixels.

    Source: Chen et al., "Distilling Knowledge via Knowledge Review"
    (https://arxiv.org/abs/2104.09044), with the residual learning framework,
    attention-based fusion and hierarchical context loss of
    https://github.com/dvlab-research/ReviewKD. That code compares with the
    teacher's maps before the last ReLU of a stage. This method uses the stage's
    output, which every backbone has, unless ``teacher_stages`` names those maps,
    as the pairs of that code's experiments do. That code's warm-up is 20 epochs,
    its weight 0.6 to 8 depending on the pair.

    Args:
        student: The student.
        teacher: The teacher, of any width.
        stages: The student's stages by number from 0 or by module path, the
            shallowest first; None for all. ``dict(path=..., kind='input')`` takes
            the input of a module, such as a map before its ReLU.
        teacher_stages: The teacher's; None for ``stages``.
        max_channels: Upper limit on the width of fused maps, which is otherwise
            that of the deepest level.
        loss: Config of the loss of one level.
        **kwargs: Weight and schedule, see :class:`Method`.

    Raises:
        ValueError: If the stages do not pair up, one does not exist, or a value
            is out of range.
    """

    def __init__(
        self,
        student: ModelView,
        teacher: ModelView,
        stages: Sequence[Stage] | None = None,
        teacher_stages: Sequence[Stage] | None = None,
        max_channels: int = 512,
        loss: dict[str, Any] = {'type': 'HierarchicalContextLoss'},  # noqa: B006
        **kwargs: Any,
    ) -> None:
        super().__init__(student, teacher, **kwargs)
        at_least(1, max_channels=max_channels)
        self.taps_in_student = _levels(student, stages)
        self.taps_in_teacher = _levels(
            teacher, stages if teacher_stages is None else teacher_stages
        )
        counts = len(self.taps_in_student), len(self.taps_in_teacher)
        if counts[0] != counts[1] or counts[0] < 2:
            raise ValueError(
                'ReviewKD pairs up stages, but the student has '
                f'{_paths(self.taps_in_student)} and the teacher '
                f'{_paths(self.taps_in_teacher)}. Name the same number, '
                'at least one, with stages and teacher_stages.'
            )
        self.loss_fn = MODELS.build(loss)
        widths = _widths(student, self.taps_in_student)
        teacher_widths = _widths(teacher, self.taps_in_teacher)
        channels = min(max_channels, widths[-1])
        self.fusions = nn.ModuleList(
            AttentionFusion(width, channels, teacher_width, level < len(widths) - 1)
            for level, (width, teacher_width) in enumerate(
                zip(widths, teacher_widths, strict=True)
            )
        )

    def loss(
        self, student_taps: Taps, teacher_taps: Taps, targets: Targets
    ) -> dict[str, Tensor]:
        """The hierarchical context losses of all levels, one scalar."""
        losses, fused = [], None
        taps = self.taps_in_student, self.taps_in_teacher
        levels = list(zip(self.fusions, *taps, strict=True))
        for fusion, student_tap, teacher_tap in reversed(levels):
            expected = _as_map(teacher_taps[teacher_tap])
            out, fused = fusion(
                _as_map(student_taps[student_tap]), fused, expected.shape[2:]
            )
            losses.append(self.loss_fn(out, expected))
        return {'loss': torch.stack(losses).sum()}


def _levels(view: ModelView, stages: Sequence[Stage] | None) -> list[Tap]:
    chosen = view.stages if stages is None else [view.stage(stage) for stage in stages]
    return [*chosen, view.feature]


def _widths(view: ModelView, taps: list[Tap]) -> list[int]:
    *stages, feature = taps
    return [*(map_shape(view, tap)[1] for tap in stages), view.shape(feature)[1]]


def _paths(taps: list[Tap]) -> str:
    return ', '.join(map(str, taps[:-1])) or 'none'


def _as_map(feature: Tensor) -> Tensor:
    return feature[..., None, None] if feature.dim() == 2 else feature
