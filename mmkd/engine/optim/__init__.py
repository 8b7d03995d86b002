"""Optimiser wrappers."""

from mmkd.engine.optim.gradient_align import (
    AmpGradientAlignOptimWrapper,
    GradientAlignOptimWrapper,
)

__all__ = ['AmpGradientAlignOptimWrapper', 'GradientAlignOptimWrapper']
