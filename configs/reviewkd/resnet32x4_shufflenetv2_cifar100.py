_base_ = ['../_base_/pairs/resnet32x4_shufflenetv2_cifar100.py',
          '../_base_/methods/reviewkd.py']
model = dict(methods=dict(reviewkd=_base_.reviewkd | _base_.settings.reviewkd))
