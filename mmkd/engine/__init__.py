"""What acts while the runner trains: optimiser wrappers and hooks."""

from mmkd.engine.hooks import (
    DistillScheduleHook,
    ExportStudentHook,
    GradientConflictHook,
    PrepareMethodsHook,
    TrainingGuardHook,
)
from mmkd.engine.optim import (
    AmpGradientAlignOptimWrapper,
    GradientAlignOptimWrapper,
)

__all__ = [
    'AmpGradientAlignOptimWrapper',
    'DistillScheduleHook',
    'ExportStudentHook',
    'GradientAlignOptimWrapper',
    'GradientConflictHook',
    'PrepareMethodsHook',
    'TrainingGuardHook',
]
