"""Nothing is lost and everything repeats, in any training that is protected."""

from mmkd.resilience.checkpoint_hook import AtomicCheckpointHook
from mmkd.resilience.loops import ResumableEpochLoop, ResumableIterLoop
from mmkd.resilience.protect import protect
from mmkd.resilience.training_guard import TrainingGuardHook

__all__ = [
    'AtomicCheckpointHook',
    'ResumableEpochLoop',
    'ResumableIterLoop',
    'TrainingGuardHook',
    'protect',
]
