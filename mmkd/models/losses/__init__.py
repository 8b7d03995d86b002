"""Losses as pure functions of tensors, one file per paper."""

from mmkd.models.losses.binary_kl import BinaryKLLoss
from mmkd.models.losses.binary_kl_norm import BinaryKLNormLoss
from mmkd.models.losses.channel_wise import ChannelWiseDivergenceLoss
from mmkd.models.losses.cirkd import CIRKDLoss
from mmkd.models.losses.contrastive_representation import ContrastiveRepresentationLoss
from mmkd.models.losses.correlation_congruence import CorrelationCongruenceLoss
from mmkd.models.losses.dist import DISTLoss
from mmkd.models.losses.dkd import DKDLoss
from mmkd.models.losses.hierarchical_context import HierarchicalContextLoss
from mmkd.models.losses.hint import HintLoss
from mmkd.models.losses.ifvd import IFVDLoss
from mmkd.models.losses.kl_divergence import KLDivergenceLoss
from mmkd.models.losses.pairwise_affinity import PairwiseAffinityLoss
from mmkd.models.losses.rkd import RKDLoss

__all__ = [
    'BinaryKLLoss',
    'BinaryKLNormLoss',
    'CIRKDLoss',
    'ChannelWiseDivergenceLoss',
    'ContrastiveRepresentationLoss',
    'CorrelationCongruenceLoss',
    'DISTLoss',
    'DKDLoss',
    'HierarchicalContextLoss',
    'HintLoss',
    'IFVDLoss',
    'KLDivergenceLoss',
    'PairwiseAffinityLoss',
    'RKDLoss',
]
