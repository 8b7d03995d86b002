# Beside KD: task loss, KD and this count in full, as RepDistiller adds them.
_base_ = '../kd/resnet20_resnet8_tin100.py'
model = dict(
    methods=dict(
        kd=dict(alpha=1.0, task_weight=1.0),
        crd=dict(type='CRD', loss_weight=0.8)))
