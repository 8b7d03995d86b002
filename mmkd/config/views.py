"""The views of its samples that a training sees."""

from collections.abc import Mapping
from contextlib import suppress

from mmengine.config import Config

from mmkd.records.manifest import UnreadableError, read_manifest
from mmkd.resilience.protect import RESUMABLE


def set_views(cfg: Config, count: int | None, seed: int | None) -> None:
    """Set which views of its samples a training sees.

    Args:
        cfg: The config, after ``protect``; changed in place.
        count: How many views each sample has; None keeps the config's.
        seed: The seed of the views; likewise.

    Raises:
        ValueError: If the training loop is not mmkd's.
    """
    given = dict(views=count, view_seed=seed)
    given = {name: value for name, value in given.items() if value is not None}
    loop = cfg.get('train_cfg') or {}
    if given and loop.get('type') not in RESUMABLE.values():
        raise ValueError(
            f"--{'/--'.join(given).replace('_', '-')}: views need one of the loops "
            f'{", ".join(RESUMABLE)}, but train_cfg.type is {loop.get("type")!r}.'
        )
    loop.update(given)


def set_recorded_views(cfg: Config) -> None:
    """Set the views of the record that a training reads, where it sets none.

    So its dumped config tells which views it saw.

    Args:
        cfg: The config, after :func:`set_views`; changed in place.

    Raises:
        RecordError: If the record has a newer format.
    """
    teacher = cfg.model.get('teacher')
    record = teacher.get('record') if isinstance(teacher, Mapping) else None
    loop = cfg.get('train_cfg') or {}
    if not isinstance(record, str) or loop.get('type') not in RESUMABLE.values():
        return
    # The teacher refuses one that cannot be read.
    with suppress(UnreadableError):
        views = read_manifest(record).views
        for name, value in (('views', views['count']), ('view_seed', views['seed'])):
            if loop.get(name) is None:
                loop[name] = value
