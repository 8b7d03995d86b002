"""What a training depends on that its command only names: files, by their content."""

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from mmkd.checkpoints.identity import file_hash
from mmkd.models.build import model_dict
from mmkd.records import read_manifest


def facts_of_student(student: Any) -> dict[str, Any]:
    """The model of a student that is a config file; nothing for others.

    Args:
        student: ``model.student``.
    """
    return {'student': _model(student)} if isinstance(student, str) else {}


def facts_of_teacher(
    teacher: Mapping[str, Any], record: Path | None = None
) -> dict[str, Any]:
    """A teacher's model and weights, and what its record is of.

    Args:
        teacher: ``model.teacher``.
        record: The folder of the record that is read, if one is.
    """
    facts: dict[str, Any] = {}
    if isinstance(teacher.get('config'), str):
        facts['teacher'] = _model(teacher['config'])
    if teacher.get('checkpoint') is not None:
        file = Path(os.path.expanduser(teacher['checkpoint'])).resolve()
        # None for what is gone, or is not a file of this machine.
        found = _hashed(file) if file.is_file() else None
        facts['teacher: SHA-256 of the file'] = found
    if record is not None:
        facts['record'] = read_manifest(record).identity
    return facts


@cache
def _model(config: str) -> dict[str, Any] | None:
    """The model of a config file; None if the file is gone."""
    try:
        return model_dict(config)
    except FileNotFoundError:
        return None


@cache
def _hashed(file: Path) -> str:
    return file_hash(file)
