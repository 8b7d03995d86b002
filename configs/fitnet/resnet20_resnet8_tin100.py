# Beside KD: task loss, KD and this count in full, as RepDistiller adds them.
_base_ = '../kd/resnet20_resnet8_tin100.py'
model = dict(
    methods=dict(
        kd=dict(alpha=1.0, task_weight=1.0),
        fitnet=dict(type='FitNet', loss_weight=100.0)))
