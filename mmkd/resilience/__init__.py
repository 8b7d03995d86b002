"""Crash-safe, exactly resumable and reproducible training."""

from mmkd.resilience.checkpoint_hook import AtomicCheckpointHook
from mmkd.resilience.early_stopping import ResumableEarlyStoppingHook
from mmkd.resilience.loops import ResumableEpochLoop, ResumableIterLoop
from mmkd.resilience.protect import protect
from mmkd.resilience.training_guard import TrainingGuardHook

__all__ = [
    'AtomicCheckpointHook',
    'ResumableEarlyStoppingHook',
    'ResumableEpochLoop',
    'ResumableIterLoop',
    'TrainingGuardHook',
    'protect',
]
