"""Optimiser wrappers, and the parameter groups of a distiller."""

from mmkd.engine.optim.constructor import DistillOptimWrapperConstructor
from mmkd.engine.optim.gradient_align import (
    AmpGradientAlignOptimWrapper,
    GradientAlignOptimWrapper,
)

__all__ = [
    'AmpGradientAlignOptimWrapper',
    'DistillOptimWrapperConstructor',
    'GradientAlignOptimWrapper',
]
