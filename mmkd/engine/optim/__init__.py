"""Optimiser wrappers, and how a distiller's parameters are grouped."""

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
