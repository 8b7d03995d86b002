"""Distiller, teacher, methods, losses, heads and backbones."""

from mmkd.models.backbones import *  # noqa: F403
from mmkd.models.build import build_model
from mmkd.models.discovery import ModelView
from mmkd.models.distiller import Distiller
from mmkd.models.heads import *  # noqa: F403
from mmkd.models.losses import *  # noqa: F403
from mmkd.models.methods import *  # noqa: F403
from mmkd.models.taps import Tap, capture
from mmkd.models.teachers import FrozenTeacher

__all__ = ['Distiller', 'FrozenTeacher', 'ModelView', 'Tap', 'build_model', 'capture']
