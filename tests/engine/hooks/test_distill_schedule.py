from typing import Any

import pytest

from mmkd.models.methods import Schedule

HOOKS = [dict(type='mmkd.DistillScheduleHook')]


class Recorder:
    """Note the factors that every training step sees."""

    def __init__(self, distiller: Any) -> None:
        self.seen: dict[str, list[Any]] = {name: [] for name in distiller.methods}
        step = distiller.train_step

        def train_step(*args: Any, **kwargs: Any) -> Any:
            for name, method in distiller.methods.items():
                self.seen[name].append(getattr(method, 'schedule_factor', None))
            return step(*args, **kwargs)

        distiller.train_step = train_step


@pytest.fixture
def scheduled(distiller: Any) -> Any:
    """One method has a schedule, the other has none."""
    distiller.methods['crd'].schedule = Schedule(warmup=4)
    distiller.methods['crd'].schedule_factor = None
    return distiller


def test_by_epoch(scheduled: Any, runner_of: Any) -> None:
    scheduled.methods['dual_head'].schedule = Schedule(stop=1)
    recorder = Recorder(scheduled)
    runner = runner_of(scheduled, custom_hooks=HOOKS)
    runner.train()
    assert recorder.seen == dict(
        dual_head=[1.0] * 3 + [0.0] * 3, crd=[0.25] * 3 + [0.5] * 3
    )
    history = runner.message_hub.get_scalar('train/crd_schedule_factor')
    assert history.data[0].tolist() == [0.25, 0.5]


def test_by_iteration(scheduled: Any, runner_of: Any) -> None:
    recorder = Recorder(scheduled)
    loop = dict(by_epoch=False, max_iters=5)
    runner_of(scheduled, custom_hooks=HOOKS, train_cfg=loop).train()
    assert recorder.seen == dict(
        dual_head=[1.0] * 5, crd=[0.25, 0.5, 0.75, 1.0, 1.0]
    )


def test_a_resumed_run_goes_on_where_it_was(scheduled: Any, runner_of: Any) -> None:
    runner_of(scheduled, custom_hooks=HOOKS).train()
    recorder = Recorder(scheduled)
    loop = dict(by_epoch=True, max_epochs=3)
    runner_of(scheduled, custom_hooks=HOOKS, train_cfg=loop, resume=True).train()
    assert recorder.seen['crd'] == [0.75] * 3


def test_alignment_that_is_asked_for_and_not_there(
    distiller: Any, runner_of: Any
) -> None:
    distiller.methods['crd'].gradient_alignment = True
    with pytest.raises(TypeError, match=r'asks for gradient_alignment.*OptimWrapper'):
        runner_of(distiller, custom_hooks=HOOKS).train()
