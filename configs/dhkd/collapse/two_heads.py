# The fourth setting, DHKD: each loss has a head of its own.
_base_ = './pair.py'
model = dict(methods=dict(
    _delete_=True,
    dual_head=_base_.dual_head | _base_.get('settings', {}).get('dual_head', {})))
