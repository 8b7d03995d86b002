_base_ = ['../_base_/models/mobilenetv1.py',
          'mmpretrain::_base_/datasets/imagenet_bs32.py',
          'mmpretrain::_base_/schedules/imagenet_bs256.py',
          '../_base_/classification_runtime.py']
