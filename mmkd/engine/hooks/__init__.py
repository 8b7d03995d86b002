"""Hooks of MMEngine's runner."""

from mmkd.engine.hooks.distill_schedule import DistillScheduleHook
from mmkd.engine.hooks.export_student import ExportStudentHook
from mmkd.engine.hooks.gradient_conflict import GradientConflictHook
from mmkd.engine.hooks.prepare_methods import PrepareMethodsHook
from mmkd.engine.hooks.training_guard import TrainingGuardHook

__all__ = [
    'DistillScheduleHook',
    'ExportStudentHook',
    'GradientConflictHook',
    'PrepareMethodsHook',
    'TrainingGuardHook',
]
