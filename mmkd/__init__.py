"""Knowledge distillation for MMSegmentation and MMPretrain."""

__version__ = '0.1.0'
