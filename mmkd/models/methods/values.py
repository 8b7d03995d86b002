"""Checks of the values of settings."""

from mmkd.models.losses.inputs import not_negative


def check_number(name: str, value: float) -> None:
    """Reject anything but a finite number of at least 0.

    Args:
        name: Name of the setting.
        value: The value.

    Raises:
        TypeError: If it is not a number.
        ValueError: If it is negative or not finite.
    """
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise TypeError(f'{name} must be a number, got {value!r}')
    not_negative(name, value)


def at_least(minimum: int, **values: int) -> None:
    """Reject values that are too small.

    Args:
        minimum: The smallest value allowed.
        **values: Values by argument name.

    Raises:
        ValueError: If one is smaller; the message names it.
    """
    for name, value in values.items():
        if not value >= minimum:
            raise ValueError(f'{name} must be at least {minimum}, got {value}')
