"""A config looked at as a whole, before a runner builds anything of it."""

from mmengine.config import Config

from mmkd.checks.groups import warn_of_idle_keys
from mmkd.checks.parts import PartsCheck
from mmkd.checks.saving import check_saving
from mmkd.checks.scores import check_scores
from mmkd.checks.settings import check_settings
from mmkd.checks.shapes import check_shapes

__all__ = ['check_config', 'check_shapes', 'warn_of_idle_keys']


def check_config(cfg: Config) -> None:
    """Name what would fail late, or would be passed over without a word.

    Args:
        cfg: The config of any training or test; not changed.

    Raises:
        ValueError: If a key is one that nothing reads, a value cannot be, or a score
            is to be watched that no metric has; the message says where it stands and
            names the nearest.
        TypeError: If a value is of another type than mmkd or MMEngine's hooks and
            loops take.
        OSError: If a folder cannot be made.
    """
    check_shapes(cfg)
    PartsCheck(cfg)()
    check_settings(cfg)
    check_scores(cfg)
    check_saving(cfg)
