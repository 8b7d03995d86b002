"""Modules that bring student features to the teacher's shape, only in training."""

from mmkd.models.adapters.fusion import AttentionFusion
from mmkd.models.adapters.pooling import pooled
from mmkd.models.adapters.projector import Projector
from mmkd.models.adapters.regressor import Regressor

__all__ = ['AttentionFusion', 'Projector', 'Regressor', 'pooled']
