"""A dumped config read without running it."""

import ast
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def read_dumped(config: Path) -> dict[str, Any]:
    """Read a config that MMEngine has dumped.

    Such a file holds only assignments of plain values. It is parsed and never run; a
    value that is not plain is returned as its source text.

    Raises:
        ValueError: If it is not Python.
    """
    try:
        tree = ast.parse(config.read_text(errors='replace'))
    except (SyntaxError, ValueError, RecursionError) as error:
        raise ValueError(f'{config} is not a dumped config: {error}') from None
    settings = {}
    for line in tree.body:
        if isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name):
            settings[line.targets[0].id] = _value(line.value)
    return settings


def read_sessions(dumped: Sequence[Path]) -> dict[str, Any]:
    """Read the config of a training's last session; empty if there is none.

    ``load_from`` is that of the training's beginning, not the checkpoint from which
    the session was resumed.

    Args:
        dumped: The config that each session has dumped, in their order.

    Raises:
        ValueError: See :func:`read_dumped`.
    """
    sessions = [read_dumped(path) for path in dumped]
    if not sessions:
        return {}
    begun = [each for each in sessions if not each.get('resume')]
    return sessions[-1] | dict(load_from=begun[-1].get('load_from') if begun else None)


def _value(node: ast.expr) -> Any:
    """The value of a literal; MMEngine writes dicts as calls of ``dict``."""
    if isinstance(node, ast.Call) and ast.unparse(node.func) == 'dict':
        found: dict[Any, Any] = {}
        for argument in node.args:
            inner = _value(argument)
            found |= inner if isinstance(inner, dict) else {}
        for keyword in node.keywords:
            inner = _value(keyword.value)
            if keyword.arg is not None:
                found[keyword.arg] = inner
            elif isinstance(inner, dict):
                found |= inner
        return found
    if isinstance(node, ast.Dict):
        pairs = zip(node.keys, node.values, strict=True)
        return {_key(k): _value(v) for k, v in pairs if k is not None}
    if isinstance(node, (ast.List, ast.Tuple)):
        values = [_value(each) for each in node.elts]
        return tuple(values) if isinstance(node, ast.Tuple) else values
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError):
        return ast.unparse(node)


def _key(node: ast.expr) -> Any:
    return node.value if isinstance(node, ast.Constant) else ast.unparse(node)
