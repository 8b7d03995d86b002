"""The one place that knows whether images or pixels are classified."""

from mmkd.models.tasks.base import Task
from mmkd.models.tasks.images import ImageTask
from mmkd.models.tasks.of_models import class_count, set_num_classes, task_of
from mmkd.models.tasks.pixels import PixelTask

__all__ = [
    'ImageTask',
    'PixelTask',
    'Task',
    'class_count',
    'set_num_classes',
    'task_of',
]
