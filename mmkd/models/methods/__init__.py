"""Distillation methods, one file a paper."""

from mmkd.models.methods.base import LogitMethod, Method
from mmkd.models.methods.dual_head import DualHead
from mmkd.models.methods.kd import LogitsKD

__all__ = ['DualHead', 'LogitMethod', 'LogitsKD', 'Method']
