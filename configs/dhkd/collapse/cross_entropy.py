# The first setting: cross-entropy alone. The teacher, whose method weighs nothing, does
# not run.
_base_ = './pair.py'
model = dict(methods=dict(
    _delete_=True, binary_kl=_base_.binary_kl | dict(
        weight=0.0, source='left out')))
