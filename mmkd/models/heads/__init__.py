"""Auxiliary classifiers, which exist only in training."""

from mmkd.models.heads.conv import ConvClassifier
from mmkd.models.heads.linear import LinearClassifier, pointwise
from mmkd.models.heads.mlp import MLPClassifier

__all__ = ['ConvClassifier', 'LinearClassifier', 'MLPClassifier', 'pointwise']
