# What the four settings beside this share: here the digits of `make demo`. On another
# pair they stand in a copy of the folder whose first line below is another.
_base_ = ['mmkd::demo/classification/pair.py',
          'mmkd::_base_/methods/binary_kl.py',
          'mmkd::_base_/methods/dhkd.py',
          'mmkd::dhkd/collapse/measures.py']
default_hooks = _base_.measures
train_cfg = dict(val_interval=1)
