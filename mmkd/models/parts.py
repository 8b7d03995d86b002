"""The parts that a distiller's config names: teachers and methods."""

import inspect
from collections.abc import Iterable
from typing import Any

from mmengine.registry import Registry

from mmkd.nearest import nearest_and_known


def build_part(
    registry: Registry, where: str, cfg: dict[str, Any], **given: Any
) -> Any:
    """Build what a config names, with errors that name the nearest word.

    Args:
        registry: Where its type is looked up.
        where: What the config is called in the distiller's, as ``methods.kd``.
        cfg: The config, with its ``type``.
        **given: Further arguments, which the config cannot set.

    Raises:
        ValueError: If there is no such type, or it takes no such argument.
        TypeError, ValueError: What it says of its arguments itself, with ``where``.
    """
    settings = dict(cfg)
    kind = settings.pop('type', None)
    found = registry.get(kind) if isinstance(kind, str) else kind
    if found is None:
        raise ValueError(
            f'{where} is of the unknown type {kind!r}.'
            + nearest_and_known(kind, sorted(registry.module_dict))
        )
    check_settings(where, found, settings, given)
    try:
        return found(**given, **settings)
    except (TypeError, ValueError) as error:
        if type(error) not in (TypeError, ValueError) or where in str(error):
            raise
        raise type(error)(f'{where}: {error}') from error


def check_settings(
    where: str, kind: type, settings: Iterable[str], given: Iterable[str] = ()
) -> None:
    """Refuse a setting that a class does not take.

    Args:
        where: What the config is called.
        kind: The class.
        settings: What the config sets.
        given: Arguments that no config can set.

    Raises:
        ValueError: If there is one; the message names the nearest.
    """
    allowed = _arguments(kind) - set(given)
    for name in settings:
        if name not in allowed:
            raise ValueError(
                f'{where}: {kind.__name__} has no setting {name!r}.'
                + nearest_and_known(name, sorted(allowed))
            )


def _arguments(kind: type) -> set[str]:
    """All arguments of a class, those it hands on to its bases too."""
    names: set[str] = set()
    for base in kind.__mro__:
        init = vars(base).get('__init__')
        if init is None:
            continue
        arguments = inspect.signature(init).parameters.values()
        names |= {a.name for a in arguments if a.kind is not a.VAR_KEYWORD}
        if not any(a.kind is a.VAR_KEYWORD for a in arguments):
            break
    return names - {'self'}
