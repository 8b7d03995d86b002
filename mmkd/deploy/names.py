"""Class names of a student's data set, compared with its own."""

from collections.abc import Sequence

from mmengine.config import Config
from mmengine.registry import DATASETS

from mmkd.arguments import class_of
from mmkd.checks.places import datasets_of
from mmkd.models.class_names import keys, renamed, shown


def names_in_config(cfg: Config) -> Sequence[str] | None:
    """The class names of the validation set, if known without reading it."""
    for _, dataset in datasets_of(cfg, ['val_dataloader']):
        kind = class_of(DATASETS, dataset, cfg.get('default_scope'))
        for meta in (dataset, dataset.get('metainfo'), getattr(kind, 'METAINFO', None)):
            classes = (meta or {}).get('classes')
            if isinstance(classes, str):
                # A file of names.
                return None
            if classes:
                return [str(name) for name in classes]
    return None


def check_names(
    own: Sequence[str] | None, names: Sequence[object] | None, checkpoint: str
) -> None:
    """Refuse to score a student on a data set of other classes.

    Args:
        own: The names of the student's classes in its checkpoint; None without.
        names: The data set's class names; None if it has none.
        checkpoint: The student's file, for the message.

    Raises:
        ValueError: If they are others than the student's, or in another order.
    """
    if not names or not own:
        return
    wanted = [str(name) for name in names]
    given, known = keys(wanted, own)
    if given != known and not renamed(given, known):
        raise ValueError(
            f'the classes of the validation set are not those in {checkpoint}, or not '
            f'in their order. Validation set: {shown(wanted)}. Checkpoint: '
            f'{shown(own)}. Pass the config or --data-root of its training, '
            'or --no-score.'
        )
