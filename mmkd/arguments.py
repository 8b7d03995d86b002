"""Arguments of the classes that a config names, checked before they are built."""

import ast
import inspect
import textwrap
import typing
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from numbers import Real
from typing import Any

from mmengine.registry import Registry

from mmkd.nearest import LIKELY, did_you_mean, nearest_and_known
from mmkd.type_hints import NoText, NoWord, described, fits

TRUSTED = (
    'mmkd.',
    'mmengine.hooks.',
    'mmengine.optim.scheduler.',
    'mmengine.runner.',
)
"""Modules whose type hints are exact; elsewhere ``int`` may also mean a float."""


def check_arguments(
    where: str,
    kind: Callable[..., Any],
    settings: Mapping[str, Any],
    given: Iterable[str] = (),
    besides: Iterable[str] = (),
) -> None:
    """Refuse a setting that a class does not take, or a value of the wrong type.

    If the class accepts any keyword, only near misses of its named ones are refused.

    Types come from the hints of its ``__init__``, where those can be trusted.
    Simple values and lists of them are checked, others are accepted as they are.

    Args:
        where: Path of the settings in the config.
        kind: The class, or a function.
        settings: The settings in the config.
        given: Arguments that no config can set.
        besides: Keys that are removed before the class is built.

    Raises:
        ValueError: If there is no such setting; the message names the closest one.
        TypeError: If a value has the wrong type.
    """
    known, takes_more = arguments(kind)
    for name, value in settings.items():
        if name in known and name not in given:
            hint = known[name]
            if not fits(value, hint):
                raise TypeError(
                    f'{where}: {name} must be {described(hint)}, got {value!r}.'
                )
        elif name not in besides:
            allowed = sorted({*known, *besides} - set(given))
            if not takes_more or did_you_mean(name, allowed, LIKELY):
                raise ValueError(
                    f'{where}: {kind.__name__} has no setting {name!r}.'
                    + nearest_and_known(name, allowed)
                )


def arguments(kind: Callable[..., Any]) -> tuple[dict[str, Any], bool]:
    """The arguments of a class, including those it passes on to its bases.

    Returns:
        Type hints by name, ``Any`` where there is none; and whether it takes further
        arguments whose names cannot be determined.
    """
    if not isinstance(kind, type):
        return _own_arguments(kind)
    known: dict[str, Any] = {}
    keeps_some = False
    for base in kind.__mro__:
        init = vars(base).get('__init__')
        if init is None or base is object:
            continue
        found, takes_more = _own_arguments(init)
        known = {**found, **known}
        if not takes_more:
            return known, keeps_some
        keeps_some = keeps_some or not _hands_on(init)
    return known, True


def parameters_of(
    registry: Registry, part: Mapping[str, Any], scope: str | None
) -> Mapping[str, inspect.Parameter]:
    """The parameters of the class that a config names; empty if it is unknown."""
    kind = class_of(registry, part, scope)
    return inspect.signature(kind).parameters if kind else {}


def class_of(registry: Registry, part: Mapping[str, Any], scope: str | None) -> Any:
    """The class, or function, that a config names; None if it is unknown."""
    kind = part['type']
    if isinstance(kind, str):
        with registry.switch_scope_and_registry(scope) as own:
            kind = own.get(kind)
    return kind


def _own_arguments(function: Callable[..., Any]) -> tuple[dict[str, Any], bool]:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return {}, True
    hints = {}
    if str(function.__module__).startswith(TRUSTED):
        # A hint may use names that exist only for type checkers.
        with suppress(NameError):
            hints = typing.get_type_hints(function)
    known = {}
    for a in parameters:
        if a.name != 'self' and a.kind not in (a.VAR_KEYWORD, a.VAR_POSITIONAL):
            hint = hints.get(a.name, _hint_of(a.default))
            # Many libraries write `int = None`.
            known[a.name] = hint if a.default is not None else hint | None
    return known, any(a.kind is a.VAR_KEYWORD for a in parameters)


def _hands_on(init: Callable[..., Any]) -> bool:
    """Whether its ``**kwargs`` only go to ``super().__init__``."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(init)))
    except (OSError, TypeError, SyntaxError):
        return False
    [function] = tree.body
    if not isinstance(function, ast.FunctionDef) or function.args.kwarg is None:
        return False
    name = function.args.kwarg.arg
    uses = [n for n in ast.walk(tree) if isinstance(n, ast.Name) and n.id == name]
    handed = [
        keyword.value
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr == '__init__'
        and ast.unparse(call.func.value).startswith('super(')
        for keyword in call.keywords
        if keyword.arg is None
    ]
    return bool(uses) and all(use in handed for use in uses)


def _hint_of(default: Any) -> Any:
    """The hint that a default implies for an argument without one."""
    if isinstance(default, bool):
        return NoWord
    return NoText if isinstance(default, Real) else Any
