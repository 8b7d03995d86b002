# The pair of the four settings in this folder: here the digits of `make demo`. For
# another pair, copy the folder and change the first line below.
_base_ = ['mmkd::demo/classification/pair.py',
          'mmkd::_base_/methods/binary_kl.py',
          'mmkd::_base_/methods/dhkd.py',
          'mmkd::dhkd/collapse/measures.py']
default_hooks = _base_.measures
train_cfg = dict(val_interval=1)
