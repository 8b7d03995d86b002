"""Optimiser wrappers and hooks that act during training."""

from mmkd.engine.data_parallel import AnyDeviceDataParallel
from mmkd.engine.hooks import (
    ChannelsLastHook,
    CheckTeacherHook,
    DistillScheduleHook,
    ExportStudentHook,
    GradientConflictHook,
    NeuralCollapseHook,
    PrepareMethodsHook,
    StartTableHook,
    StopOnCollapseHook,
    ValidationLossHook,
)
from mmkd.engine.optim import (
    AmpGradientAlignOptimWrapper,
    DistillOptimWrapperConstructor,
    GradientAlignOptimWrapper,
)
from mmkd.engine.processes import (
    end_with_launcher,
    join_processes,
    leave_processes,
)
from mmkd.setup import setup

__all__ = [
    'AmpGradientAlignOptimWrapper',
    'AnyDeviceDataParallel',
    'ChannelsLastHook',
    'CheckTeacherHook',
    'DistillOptimWrapperConstructor',
    'DistillScheduleHook',
    'ExportStudentHook',
    'GradientAlignOptimWrapper',
    'GradientConflictHook',
    'NeuralCollapseHook',
    'PrepareMethodsHook',
    'StartTableHook',
    'StopOnCollapseHook',
    'ValidationLossHook',
    'end_with_launcher',
    'join_processes',
    'leave_processes',
]

# A config imports this package to make mmkd known to a plain runner.
setup()
