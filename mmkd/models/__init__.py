"""Distiller, teacher, methods, losses, heads and backbones.

The names below are imported when they are first used, so that
``mmkd.models.losses`` needs only PyTorch and MMEngine's registry.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmkd.models.build import build_model
    from mmkd.models.discovery import ModelView
    from mmkd.models.distiller import Distiller
    from mmkd.models.taps import Tap, capture
    from mmkd.models.teachers import FrozenTeacher

__all__ = ['Distiller', 'FrozenTeacher', 'ModelView', 'Tap', 'build_model', 'capture']

PLACES = {
    'Distiller': 'distiller',
    'FrozenTeacher': 'teachers.frozen',
    'ModelView': 'discovery',
    'Tap': 'taps',
    'build_model': 'build',
    'capture': 'taps',
}


def __getattr__(name: str) -> Any:
    if name not in PLACES:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(import_module(f'{__name__}.{PLACES[name]}'), name)
