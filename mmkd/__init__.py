"""Knowledge distillation for MMSegmentation and MMPretrain."""

import mmkd.compat  # noqa: F401 -- before anything imports mmseg or mmpretrain

__version__ = '0.1.0'
