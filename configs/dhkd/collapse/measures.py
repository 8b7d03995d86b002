# Logged for each of the four settings besides the scores.
measures = dict(
    logger=dict(interval=10),
    validation_loss=dict(type='mmkd.ValidationLossHook'),
    neural_collapse=dict(type='mmkd.NeuralCollapseHook'),
    gradient_conflict=dict(type='mmkd.GradientConflictHook', interval=10))
