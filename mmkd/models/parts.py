"""Building the parts in a distiller's config: teachers and methods."""

from collections.abc import Iterable, Mapping
from typing import Any

from mmengine.registry import Registry

from mmkd.arguments import check_arguments
from mmkd.nearest import LIKELY, did_you_mean, nearest_and_known
from mmkd.registry import MODELS


def build_part(
    registry: Registry, where: str, cfg: dict[str, Any], **given: Any
) -> Any:
    """Build a part from its config, with errors that suggest the nearest name.

    Args:
        registry: Where to look up its type.
        where: Its path in the distiller's config, such as ``methods.kd``.
        cfg: The config, with its ``type``.
        **given: Further arguments, which the config cannot set.

    Raises:
        ValueError: If there is no such type, or it takes no such argument.
        TypeError, ValueError: If a value contradicts its type hint, or the part
            refuses its arguments; prefixed with ``where``.
    """
    kind = check_part(registry, where, cfg, given)
    settings = {key: value for key, value in cfg.items() if key != 'type'}
    try:
        return kind(**given, **settings)
    except (TypeError, ValueError) as error:
        if type(error) not in (TypeError, ValueError) or where in str(error):
            raise
        raise type(error)(f'{where}: {error}') from error


def check_part(
    registry: Registry, where: str, cfg: Mapping[str, Any], given: Iterable[str] = ()
) -> Any:
    """Check the names and types of a part's settings, without building it.

    Args:
        registry: See :func:`build_part`.
        where: Likewise.
        cfg: Likewise.
        given: Arguments that the config cannot set.

    Returns:
        The part's class.

    Raises:
        ValueError: If there is no such type, or it takes no such argument.
        TypeError: If a value contradicts its type hint.
    """
    settings = dict(cfg)
    kind = settings.pop('type', None)
    found = registry.get(kind) if isinstance(kind, str) else kind
    if found is None:
        raise ValueError(
            f'{where} has the unknown type {kind!r}.'
            + nearest_and_known(kind, sorted(registry.module_dict))
        )
    check_arguments(where, found, settings, given)
    _check_inner(where, settings)
    return found


def _check_inner(where: str, settings: Mapping[str, Any]) -> None:
    """Check the settings of mmkd's losses and heads within those of a method."""
    for name, inner in settings.items():
        if isinstance(inner, Mapping) and isinstance(inner.get('type'), str):
            kind = MODELS.get(inner['type'])
            hint = did_you_mean(inner['type'], MODELS.module_dict, LIKELY)
            if kind is None and hint:
                raise ValueError(
                    f'{where}.{name}: there is no type {inner["type"]!r}.{hint}'
                )
            if kind is not None and kind.__module__.startswith('mmkd.'):
                values = {key: v for key, v in inner.items() if key != 'type'}
                check_arguments(f'{where}.{name}', kind, values)
