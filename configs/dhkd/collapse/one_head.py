# The third setting: cross-entropy and BinaryKL on one head.
_base_ = './pair.py'
model = dict(methods=dict(_delete_=True, binary_kl=_base_.binary_kl))
