"""Errors for what a method is not defined on and for values out of range."""

from mmkd.models.discovery import ModelView
from mmkd.models.taps import Tap


def images_only(student: ModelView, reason: str) -> None:
    """Refuse a student that classifies pixels.

    Args:
        student: The student.
        reason: Why, and what to use instead.

    Raises:
        ValueError: If it does.
    """
    if student.task.spatial_dims != 0:
        raise ValueError(f'{reason} The student {_name(student)} classifies pixels.')


def pixels_only(student: ModelView, reason: str) -> None:
    """Refuse a student that classifies images.

    Args:
        student: The student.
        reason: Why, and what to use instead.

    Raises:
        ValueError: If it does.
    """
    if student.task.spatial_dims == 0:
        raise ValueError(f'{reason} The student {_name(student)} classifies images.')


def at_least(minimum: int, **values: int) -> None:
    """Refuse values that are too small.

    Args:
        minimum: The smallest one allowed.
        **values: Values by the name of the argument.

    Raises:
        ValueError: If one is smaller; the message names it.
    """
    for name, value in values.items():
        if not value >= minimum:
            raise ValueError(f'{name} must be at least {minimum}, got {value}')


def map_shape(view: ModelView, tap: Tap) -> tuple[int, int, int, int]:
    """Shape of a tap's feature map for one blank image.

    Raises:
        ValueError: If it is no map.
    """
    shape = tuple(view.shape(tap))
    if len(shape) != 4:
        raise ValueError(
            f'{tap.path!r} of {_name(view)} puts out {shape}, and a feature map '
            '(N, C, H, W) is needed. Name another module as the stage.'
        )
    return shape


def _name(view: ModelView) -> str:
    return type(view.model).__name__
