"""What values of settings must be."""

from mmkd.models.losses.inputs import not_negative


def check_number(name: str, value: float) -> None:
    """Refuse what is no finite number from 0.

    Args:
        name: What it is called.
        value: The value.

    Raises:
        TypeError: If it is not a number.
        ValueError: If it is negative or not finite.
    """
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise TypeError(f'{name} must be a number, got {value!r}')
    not_negative(name, value)


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
