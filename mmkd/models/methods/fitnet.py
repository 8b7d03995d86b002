"""FitNets: hints for thin deep nets."""

from typing import Any

from torch import Tensor

from mmkd.models.adapters import Regressor
from mmkd.models.discovery import ModelView, Stage
from mmkd.models.methods.feature import FeatureMethod, map_shape
from mmkd.models.taps import Taps
from mmkd.registry import METHODS
from mmkd.structures import Targets


@METHODS.register_module()
class FitNet(FeatureMethod):
    """Regress the teacher's middle feature map from the student's.

    A regressor, trained with the student, brings the student's map to the
    teacher's width and size. The paper first trains the layers up to the hint;
    this is one training with both losses, as in RepDistiller. Images and pixels.

    Source: Romero et al., "FitNets: Hints for Thin Deep Nets"
    (https://arxiv.org/abs/1412.6550). Stage, regressor and weight are those of
    https://github.com/HobbitLong/RepDistiller.

    Args:
        student: The student.
        teacher: The teacher, with any width, depth and number of classes.
        stage: The student's stage, by number from 0 or by module path; None
            for the middle one of its maps, including the stem's.
        teacher_stage: The teacher's; None for ``stage``, or for its own middle
            one if that is None too.
        **kwargs: Loss, weight and schedule, see :class:`FeatureMethod`.

    Raises:
        ValueError: If a stage does not exist or is not a map, or a value is out
            of range.
    """

    weight = 100.0
    default_loss = {'type': 'HintLoss'}  # noqa: RUF012

    def __init__(
        self,
        student: ModelView,
        teacher: ModelView,
        stage: Stage | None = None,
        teacher_stage: Stage | None = None,
        **kwargs: Any,
    ) -> None:
        if stage is None:
            stage = _middle(student)
            if teacher_stage is None:
                teacher_stage = _middle(teacher)
        super().__init__(
            student, teacher, stage=stage, teacher_stage=teacher_stage, **kwargs
        )
        self.regressor = Regressor(
            map_shape(student, self.student_tap), map_shape(teacher, self.teacher_tap)
        )

    def loss(
        self, student_taps: Taps, teacher_taps: Taps, targets: Targets
    ) -> dict[str, Tensor]:
        """The hint loss, a scalar."""
        expected = teacher_taps[self.teacher_tap]
        feature = student_taps[self.student_tap]
        regressed = self.regressor(feature, expected.shape[2:])
        return {'loss': self.loss_fn(regressed, expected)}


def _middle(view: ModelView) -> int:
    """RepDistiller's ``hint_layer``, which counts the stem's map; never the first."""
    return max((len(view.stages) + view.has_stem) // 2 - view.has_stem, 1)
