"""Checks of a whole config before a runner builds anything from it."""

from mmengine.config import Config

from mmkd.checks.groups import warn_of_idle_keys
from mmkd.checks.parts import PartsCheck
from mmkd.checks.saving import check_saving
from mmkd.checks.scores import check_scores
from mmkd.checks.settings import check_settings
from mmkd.checks.shapes import check_shapes

__all__ = ['check_config', 'check_shapes', 'warn_of_idle_keys']


def check_config(cfg: Config) -> None:
    """Report what would fail late, or would be ignored silently.

    Args:
        cfg: The config of any training or test; not changed.

    Raises:
        ValueError: If nothing reads a key, a value is out of range, or a watched score
            comes from no metric; the message says where it is and names the closest
            match.
        TypeError: If a value has another type than mmkd or MMEngine's hooks and
            loops take.
        OSError: If a folder cannot be created.
    """
    check_shapes(cfg)
    PartsCheck(cfg)()
    check_settings(cfg)
    check_scores(cfg)
    check_saving(cfg)
