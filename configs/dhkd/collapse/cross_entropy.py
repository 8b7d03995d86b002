# The first setting: only cross-entropy. The teacher does not run, as its method has
# weight 0.
_base_ = './pair.py'
model = dict(methods=dict(
    _delete_=True, binary_kl=_base_.binary_kl | dict(
        weight=0.0, source='left out')))
