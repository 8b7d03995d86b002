"""The only place that distinguishes image from pixel classification."""

from mmkd.models.tasks.base import Task
from mmkd.models.tasks.images import ImageTask
from mmkd.models.tasks.of_models import (
    class_count,
    set_num_classes,
    task_of,
    threshold_of,
)
from mmkd.models.tasks.pixels import PixelTask

__all__ = [
    'ImageTask',
    'PixelTask',
    'Task',
    'class_count',
    'set_num_classes',
    'task_of',
    'threshold_of',
]
