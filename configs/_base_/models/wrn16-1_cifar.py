_base_ = './cifar_classifier.py'
model = dict(
    backbone=dict(type='mmkd.WideResNetCIFAR', depth=16, widen_factor=1),
    head=dict(
        in_channels=64,
        # PyTorch's initialisation of a linear layer, but with zero biases.
        init_cfg=dict(
            type='Kaiming',
            layer='Linear',
            a=5**0.5,
            mode='fan_in',
            nonlinearity='leaky_relu',
            distribution='uniform')))
