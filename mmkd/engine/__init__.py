"""What acts while the runner trains: optimiser wrappers and hooks."""

from mmkd.engine.data_parallel import AnyDeviceDataParallel
from mmkd.engine.hooks import (
    AtomicCheckpointHook,
    ChannelsLastHook,
    DistillScheduleHook,
    ExportStudentHook,
    GradientConflictHook,
    PrepareMethodsHook,
    StartTableHook,
    TrainingGuardHook,
)
from mmkd.engine.loops import ResumableEpochLoop, ResumableIterLoop
from mmkd.engine.lost_process import name_lost_process
from mmkd.engine.optim import (
    AmpGradientAlignOptimWrapper,
    DistillOptimWrapperConstructor,
    GradientAlignOptimWrapper,
)
from mmkd.engine.processes import join_processes
from mmkd.setup import setup

__all__ = [
    'AmpGradientAlignOptimWrapper',
    'AnyDeviceDataParallel',
    'AtomicCheckpointHook',
    'ChannelsLastHook',
    'DistillOptimWrapperConstructor',
    'DistillScheduleHook',
    'ExportStudentHook',
    'GradientAlignOptimWrapper',
    'GradientConflictHook',
    'PrepareMethodsHook',
    'ResumableEpochLoop',
    'ResumableIterLoop',
    'StartTableHook',
    'TrainingGuardHook',
    'join_processes',
    'name_lost_process',
]

# Importing this package is what a config asks of a runner that knows no mmkd.
setup()
