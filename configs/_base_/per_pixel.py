# What methods need differently per pixel. --method applies it to every segmentor, below
# the settings of its pair.
settings = dict(
    kd=dict(weight=0.5, task_weight=0.5, source='per pixel'),
    dist=dict(
        loss=dict(type='DISTLoss', beta=1.0, gamma=1.0, tau=1.0),
        source='per pixel'))
