"""Networks with weights as of a training."""

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmkd.config.experiments import load_config
from mmkd.deploy.network import Network
from mmkd.models import build_model
from mmkd.models.deploy import drop_distillation

PAIRS = {
    'resnet20_resnet8_tin100': 'ResNetCIFAR',
    'wrn40-2_wrn16-2_cifar100': 'WideResNetCIFAR',
    'resnet50_vgg8_cifar100': 'VGGCIFAR',
    'resnet50_mobilenetv2_cifar100': 'MobileNetV2CIFAR',
    'resnet32x4_shufflenetv1_cifar100': 'ShuffleNetV1CIFAR',
    'resnet32x4_shufflenetv2_cifar100': 'ShuffleNetV2CIFAR',
    'resnet50_resnet18_cifar100': 'ResNet_CIFAR',
    'resnet34_resnet18_imagenet': 'ResNet',
    'resnet50_mobilenetv1_imagenet': 'MobileNetV1',
    'deeplabv3-w48_deeplabv3-w16_camvid': 'ASPPHead',
    'pspnet_r18_cityscapes': 'PSPHead',
}
"""A pair with a student of each family."""


def whole_student(pair: str) -> nn.Module:
    """The student of a pair as it is deployed, with random weights."""
    cfg = load_config(pair)
    drop_distillation(cfg)
    torch.manual_seed(0)
    return Network(build_model(dict(cfg.model, _scope_=cfg.default_scope))).model


def looks_trained(model: nn.Module, channels: int = 3) -> nn.Module:
    """Let norms have statistics, and logits a range, as after a training."""
    generator = torch.Generator().manual_seed(0)
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.momentum = 1.0
            for values, low, high in ((module.weight, 0.5, 1.5), (module.bias, -1, 1)):
                values.data.uniform_(low, high, generator=generator)
    images = torch.randn(8, channels, 64, 64, generator=generator)
    with torch.no_grad():
        model.train()(images, mode='tensor')
        size = model.eval()(images, mode='tensor').abs().max()
        for parameter in list(model.parameters())[-2:]:
            parameter *= 10 / size
    return model


class _Flat(nn.Module):
    def forward(self, maps: tuple[Tensor, ...]) -> tuple[Tensor]:
        return (maps[-1].flatten(1),)


def of_one_size(classifier: Network) -> Network:
    """A tiny classifier that only takes images of 16 x 16."""
    classifier.model.neck = _Flat()
    classifier.model.head.fc = nn.Linear(8 * 8 * 8, 4)
    return classifier
