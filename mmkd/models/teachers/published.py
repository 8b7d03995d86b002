"""The published accuracy of a model, from its metafile."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mmengine.config.utils import _get_cfg_metainfo, _get_package_and_cfg_path
from mmengine.fileio import load
from mmengine.utils import get_installed_path

NAMES = {'mAP': 'mAP', 'mIoU': 'mIoU', 'top-1 accuracy': 'Top 1 Accuracy'}
"""The names of a tally's scores in metafiles."""


class Published(NamedTuple):
    """A published score.

    Attributes:
        score: In per cent.
        dataset: The data set it was measured on.
    """

    score: float
    dataset: str

    def is_of(self, dataset: Any) -> bool:
        """Whether the score is for a data set, judging by the name of its class."""
        ours, theirs = _letters(type(dataset).__name__), _letters(self.dataset)
        ours = ours.replace('dataset', '').removesuffix('1k')
        return bool(ours) and (ours in theirs or theirs in ours)


def published(config: str, metric: str) -> Published | None:
    """Look up a config's score in its metafile.

    Args:
        config: A config of a package (``mmseg::…``) or a file, whose folder may
            contain a ``metafile.yml``.
        metric: ``'mAP'``, ``'mIoU'`` or ``'top-1 accuracy'``.

    Returns:
        The score, or None if no metafile has one.
    """
    results = _entry(config).get('Results') or []
    for result in results if isinstance(results, list) else [results]:
        value = (result.get('Metrics') or {}).get(NAMES[metric])
        if value is not None:
            return Published(float(value), str(result.get('Dataset')))
    return None


def _entry(config: str) -> Mapping[str, Any]:
    if '::' in config:
        package, file = _get_package_and_cfg_path(config)
        try:
            return _get_cfg_metainfo(get_installed_path(package), file)
        except ValueError:
            # Raised for a config that is in no metafile.
            return {}
    metafile = Path(config).with_name('metafile.yml')
    entries = load(metafile)['Models'] if metafile.is_file() else []
    named = [e for e in entries if Path(e.get('Config', '')).name == Path(config).name]
    return named[0] if named else {}


def _letters(name: str) -> str:
    return re.sub('[^a-z0-9]', '', name.lower())
