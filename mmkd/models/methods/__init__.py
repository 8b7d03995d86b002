"""Distillation methods, one file per paper."""

from mmkd.models.methods.base import Method
from mmkd.models.methods.cc import CC
from mmkd.models.methods.cirkd import CIRKD
from mmkd.models.methods.crd import CRD
from mmkd.models.methods.cwd import CWD
from mmkd.models.methods.dist import DIST
from mmkd.models.methods.dkd import DKD
from mmkd.models.methods.dual_head import DualHead
from mmkd.models.methods.feature import FeatureMethod
from mmkd.models.methods.fitnet import FitNet
from mmkd.models.methods.ifvd import IFVD
from mmkd.models.methods.kd import LogitsKD
from mmkd.models.methods.logit import LogitMethod
from mmkd.models.methods.multi_head import MultiHead
from mmkd.models.methods.review_kd import ReviewKD
from mmkd.models.methods.rkd import RKD
from mmkd.models.methods.schedule import Schedule
from mmkd.models.methods.skd import SKD

__all__ = [
    'CC',
    'CIRKD',
    'CRD',
    'CWD',
    'DIST',
    'DKD',
    'IFVD',
    'RKD',
    'SKD',
    'DualHead',
    'FeatureMethod',
    'FitNet',
    'LogitMethod',
    'LogitsKD',
    'Method',
    'MultiHead',
    'ReviewKD',
    'Schedule',
]
