"""Teachers: one interface, whether they run alongside the student or were recorded."""

from mmkd.models.teachers.base import Teacher
from mmkd.models.teachers.frozen import FrozenTeacher
from mmkd.models.teachers.recorded import RecordedTeacher

__all__ = ['FrozenTeacher', 'RecordedTeacher', 'Teacher']
