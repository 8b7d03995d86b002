"""What trainings have left in their work directories, read as data."""

from mmkd.runs.run import Run, read_run
from mmkd.runs.scalars import Curve, Scalars, read_scalars

__all__ = ['Curve', 'Run', 'Scalars', 'read_run', 'read_scalars']
