_base_ = ['../_base_/pairs/resnet32x4_shufflenetv2_cifar100.py',
          '../_base_/methods/mhkd.py']
model = dict(methods=dict(kd={{_base_.kd}}, multi_head={{_base_.multi_head}}))
