"""Sources of the settings of methods: a changed one is not published."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mmengine.config import Config

from mmkd.config.reading import facts_of

CHANGED = 'changed'
"""The source of a setting that was changed without naming a new source."""


class _Known(NamedTuple):
    """Settings of a method, the source that they name, and their actual source."""

    settings: dict[str, Any]
    named: str | None
    source: str | None


def mark_changes(cfg: Config, before: Mapping[str, Any]) -> None:
    """Mark methods that have been changed.

    Args:
        cfg: The config of a distillation; changed in place.
        before: Its methods before possible changes. A method whose source was changed
            as well is left alone.
    """
    for name, method in methods_of(cfg).items():
        old = before.get(name)
        if method and old and method != old and _source(method) == _source(old):
            method['source'] = CHANGED


def mark_changes_by_files(cfg: Config, path: Path) -> None:
    """Mark methods that a file changes after inheriting them.

    Args:
        cfg: The config read from the file; changed in place.
        path: The file.
    """
    for name, source in _sources(cfg, path).items():
        if source != _source(methods_of(cfg)[name]):
            methods_of(cfg)[name]['source'] = source


def methods_of(cfg: Config) -> dict[str, Any]:
    """The methods of a config, not copied; an empty dict if it has none."""
    methods = (cfg.get('model') or {}).get('methods')
    return methods if isinstance(methods, dict) else {}


def _sources(cfg: Config, path: Path) -> dict[str, str | None]:
    own = {name: method for name, method in methods_of(cfg).items() if method}
    if not own:
        return {}
    known = {name: list(_variables(cfg, name)) for name in own}
    for file in facts_of(path).bases:
        base = Config.fromfile(file)
        sources = _sources(base, file)
        for name in own.keys() & sources.keys():
            method = methods_of(base)[name]
            rest = without_source(method)
            known[name].append(_Known(rest, _source(method), sources[name]))
    return {name: _source_of(own[name], known[name]) for name in own}


def with_bases(cfg: Config) -> Iterator[Config]:
    """A config, and those of all files that it inherits from."""
    yield cfg
    for file in facts_of(Path(cfg.filename)).bases if cfg.filename else ():
        yield from with_bases(Config.fromfile(file))


def _variables(cfg: Config, name: str) -> Iterator[_Known]:
    """The settings in a file of methods, and those with the pair's overrides."""
    variable = cfg.get(name)
    if isinstance(variable, dict) and 'type' in variable:
        settings = (cfg.get('settings') or {}).get(name) or {}
        for method in (variable, {**variable, **settings}):
            yield _Known(without_source(method), _source(method), _source(method))


def _source_of(method: Mapping[str, Any], known: list[_Known]) -> str | None:
    named = _source(method)
    claimed = [one for one in known if one.named == named]
    same = [one.source for one in claimed if one.settings == without_source(method)]
    if same:
        return same[-1]
    return CHANGED if claimed else named


def _source(method: Mapping[str, Any]) -> str | None:
    source: str | None = method.get('source')
    return source


def without_source(method: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a method alone."""
    return {name: value for name, value in method.items() if name != 'source'}
