"""Read config files, with errors that name the file and line."""

import ast
import traceback
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FunctionType, ModuleType
from typing import NamedTuple

from mmengine.config import Config
from mmengine.config.config import DELETE_KEY

from mmkd.nearest import did_you_mean

SUFFIXES = ('.py', '.json', '.yaml', '.yml')
READERS = ('_file2dict', '_parse_lazy_import')
"""MMEngine's functions that read one file of a config."""


class ConfigError(ValueError):
    """A config cannot be read; the message names the file and, if known, the line."""


def read_config(path: str | Path) -> Config:
    """Read a config file and those that it inherits from.

    Args:
        path: The file.

    Raises:
        FileNotFoundError: If it, or one that it inherits from, does not exist.
        ConfigError: If one of them cannot be read.
    """
    path = Path(path)
    for _ in files_of(path):
        pass
    try:
        cfg = Config.fromfile(path)
    except Exception as error:
        # A config is a program and may raise any exception.
        file, line = _place(error)
        place = f'{file or path}{f", line {line}" if line else ""}'
        raise ConfigError(f'{place}: {type(error).__name__}: {error}') from error
    # MMEngine removes them only without read_base, and cannot dump them.
    for name, value in list(cfg._cfg_dict.items()):
        if isinstance(value, (FunctionType, ModuleType)):
            cfg.pop(name)
    return cfg


def files_of(path: Path, above: tuple[Path, ...] = ()) -> Iterator[Path]:
    """A config file and all files that it inherits from, itself first.

    Raises:
        FileNotFoundError: If one does not exist; the message says which file needs it.
        ConfigError: If one is not Python, or inherits from itself.
    """
    _check_file(path, above)
    if path.resolve() in above:
        circle = ' -> '.join(map(str, (*above, path.resolve())))
        raise ConfigError(f'{path} inherits from itself: {circle}.')
    yield path
    above = (*above, path.resolve())
    for base in facts_of(path).bases:
        yield from files_of(base, above)


class Facts(NamedTuple):
    """What a single file of a config contains.

    Attributes:
        bases: The files that it inherits from.
        used: The names that its lines use; none if it is not Python.
        assigned: The names that it assigns to; likewise.
        deleting: Those of them whose value replaces that of the bases (``_delete_``).
    """

    bases: tuple[Path, ...]
    used: frozenset[str]
    assigned: frozenset[str]
    deleting: frozenset[str]


def facts_of(path: Path) -> Facts:
    """Read a single file of a config; cached until the file changes.

    Raises:
        ConfigError: If it cannot be read.
    """
    state = path.stat()
    return _facts_of(path, state.st_mtime_ns, state.st_size)


@cache
def _facts_of(path: Path, *_: int) -> Facts:
    used: set[str] = set()
    assigned: set[str] = set()
    deleting: set[str] = set()
    if path.suffix == '.py':
        tree = _parsed(path)
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                used.add(node.id)
            elif isinstance(node, ast.Attribute):
                used.add(node.attr)
        for line in tree.body:
            if not isinstance(line, ast.Assign):
                continue
            names = {name.id for name in line.targets if isinstance(name, ast.Name)}
            assigned |= names
            deleting |= names if _deletes(line.value) else set()
    try:
        bases = _bases_of(path)
    except Exception as error:
        # Each reader of JSON or YAML and each package lookup fails in its own way.
        raise ConfigError(f'{path}: {type(error).__name__}: {error}') from error
    return Facts(
        tuple(bases), frozenset(used), frozenset(assigned), frozenset(deleting)
    )


def _deletes(value: ast.expr) -> bool:
    """Whether a value is written as a dict with ``_delete_``."""
    if isinstance(value, ast.Call):
        return any(each.arg == DELETE_KEY for each in value.keywords)
    keys = value.keys if isinstance(value, ast.Dict) else []
    return DELETE_KEY in [key.value for key in keys if isinstance(key, ast.Constant)]


def _bases_of(path: Path) -> list[Path]:
    if Config._is_lazy_import(str(path)):
        return []
    with TemporaryDirectory() as folder:
        # Their names may contain variables, such as {{ fileDirname }}.
        copy = str(Path(folder, path.name))
        Config._substitute_predefined_vars(str(path.absolute()), copy)
        Config._substitute_env_variables(copy, copy)
        Config._pre_substitute_base_vars(copy, copy)
        names = Config._get_base_files(copy)
    return [Path(Config._get_cfg_path(name, str(path))[0]) for name in names]


def _check_file(path: Path, above: tuple[Path, ...]) -> None:
    of = f', from which {above[-1]} inherits,' if above else ''
    if path.is_dir():
        raise ConfigError(f'the config {str(path)!r}{of} is a folder: name a file.')
    if not path.is_file():
        there = [file.name for file in path.parent.glob('*') if file.suffix in SUFFIXES]
        hint = did_you_mean(path.name, there, 0.75)
        raise FileNotFoundError(
            f'the config file {str(path)!r}{of} does not exist.{hint}'
        )
    if path.suffix not in SUFFIXES:
        raise ConfigError(
            f'the config file {str(path)!r}{of} must end with '
            f'{", ".join(SUFFIXES)}.'
        )


def _parsed(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_text(encoding='utf-8'), str(path))
    except SyntaxError as error:
        text = (error.text or '').strip()
        raise ConfigError(f'{path}, line {error.lineno}: {error.msg}: {text}') from None
    except ValueError as error:
        raise ConfigError(f'{path} is not a text file: {error}') from None


def _place(error: Exception) -> tuple[str | None, int | None]:
    """The config file that was being read, and the line being executed."""
    file, line = None, None
    for frame, number in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_name in READERS:
            file, line = frame.f_locals.get('filename'), None
        elif frame.f_code.co_filename in ('', file) and file:
            line = number
    return file, line
