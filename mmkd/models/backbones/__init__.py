"""The usual CIFAR model families, and MobileNetV1."""

from mmkd.setup import setup

setup()  # before mmpretrain is imported

from .mobilenetv1 import MobileNetV1
from .mobilenetv2_cifar import MobileNetV2CIFAR
from .resnet_cifar import ResNetCIFAR
from .shufflenetv1_cifar import ShuffleNetV1CIFAR
from .shufflenetv2_cifar import ShuffleNetV2CIFAR
from .vgg_cifar import VGGCIFAR
from .wrn_cifar import WideResNetCIFAR

__all__ = [
    'VGGCIFAR',
    'MobileNetV1',
    'MobileNetV2CIFAR',
    'ResNetCIFAR',
    'ShuffleNetV1CIFAR',
    'ShuffleNetV2CIFAR',
    'WideResNetCIFAR',
]
