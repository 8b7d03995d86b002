"""What teaches: one interface, whether it runs beside the student or was run before."""

from mmkd.models.teachers.base import Teacher
from mmkd.models.teachers.frozen import FrozenTeacher
from mmkd.models.teachers.recorded import RecordedTeacher

__all__ = ['FrozenTeacher', 'RecordedTeacher', 'Teacher']
