# MMSegmentation's DeepLabV3-R18 with CIRKD's schedule.
_base_ = ['mmseg::_base_/models/deeplabv3_r50-d8.py',
          '../_base_/datasets/cityscapes.py',
          'mmseg::_base_/default_runtime.py',
          '../_base_/schedules/cirkd_40k.py']
model = dict(
    data_preprocessor=dict(size=(512, 1024)),
    pretrained='open-mmlab://resnet18_v1c',
    backbone=dict(depth=18),
    decode_head=dict(in_channels=512, channels=128),
    auxiliary_head=dict(in_channels=256, channels=64))
