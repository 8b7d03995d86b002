_base_ = ['../_base_/models/deeplabv3_narrow.py',
          '../_base_/datasets/camvid.py',
          '../_base_/default_runtime.py',
          '../_base_/schedules/sgd_4k.py']
