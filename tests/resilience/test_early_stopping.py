from collections.abc import Callable
from typing import Any

import pytest
from mmengine.runner import Runner


@pytest.mark.parametrize('by_epoch', [False, True])
def test_patience_goes_on_after_a_break(
    by_epoch: bool, trainer: Callable[..., Runner], validation: dict[str, Any]
) -> None:
    """No score is better than the first one by 10: four more validations."""

    def train(name: str, length: int, resume: bool = False) -> Runner:
        unit = 'max_epochs' if by_epoch else 'max_iters'
        runner = trainer(
            name,
            by_epoch,
            resume=resume,
            train_cfg={'by_epoch': by_epoch, unit: length, 'val_interval': 1},
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=1e-3)),
            checkpoint=dict(interval=1),
            custom_hooks=[
                dict(type='EarlyStoppingHook', monitor='acc', min_delta=10, patience=4)
            ],
            **validation,
        )
        runner.train()
        return runner

    whole = train('whole', 9)
    train('broken', 3)
    broken = train('broken', 9, resume=True)

    assert (broken.epoch, broken.iter) == (whole.epoch, whole.iter)
    assert (broken.epoch if by_epoch else broken.iter) == 5
    key = 'early_stopping.acc.best_score'
    assert broken.message_hub.get_info(key) == whole.message_hub.get_info(key)
