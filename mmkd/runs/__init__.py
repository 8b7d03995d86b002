"""Results of trainings, read from their work directories."""

from mmkd.runs.run import Run, read_run
from mmkd.runs.scalars import Curve, Scalars, read_scalars

__all__ = ['Curve', 'Run', 'Scalars', 'read_run', 'read_scalars']
