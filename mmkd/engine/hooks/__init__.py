"""Hooks of MMEngine's runner."""

from mmkd.engine.hooks.channels_last import ChannelsLastHook
from mmkd.engine.hooks.check_teacher import CheckTeacherHook
from mmkd.engine.hooks.distill_schedule import DistillScheduleHook
from mmkd.engine.hooks.export_student import ExportStudentHook
from mmkd.engine.hooks.gradient_conflict import GradientConflictHook
from mmkd.engine.hooks.neural_collapse import NeuralCollapseHook
from mmkd.engine.hooks.prepare_methods import PrepareMethodsHook
from mmkd.engine.hooks.start_table import StartTableHook
from mmkd.engine.hooks.stop_on_collapse import StopOnCollapseHook
from mmkd.engine.hooks.validation_loss import ValidationLossHook

__all__ = [
    'ChannelsLastHook',
    'CheckTeacherHook',
    'DistillScheduleHook',
    'ExportStudentHook',
    'GradientConflictHook',
    'NeuralCollapseHook',
    'PrepareMethodsHook',
    'StartTableHook',
    'StopOnCollapseHook',
    'ValidationLossHook',
]
