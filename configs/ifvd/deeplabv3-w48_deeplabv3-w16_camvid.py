# Beside KD without temperature: task loss and KD count in full, as in CIRKD's code.
_base_ = '../kd/deeplabv3-w48_deeplabv3-w16_camvid.py'
model = dict(
    methods=dict(
        kd=dict(
            alpha=1.0,
            task_weight=1.0,
            loss=dict(type='KLDivergenceLoss', tau=1.0)),
        ifvd=dict(type='IFVD', loss_weight=20.0)))
