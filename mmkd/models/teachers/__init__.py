"""What teaches: one interface, whether it runs beside the student or was run before."""

from mmkd.models.teachers.frozen import FrozenTeacher

__all__ = ['FrozenTeacher']
