from typing import Any

import pytest

from mmkd.engine import DistillScheduleHook
from mmkd.engine.hooks.distill_schedule import Schedule


@pytest.mark.parametrize(
    ('settings', 'expected'),
    [
        ({}, [1, 1, 1, 1, 1, 1]),
        (dict(stop=2), [1, 1, 0, 0, 0, 0]),
        (dict(start=4), [0, 0, 0, 0, 1, 1]),
        # The published code counts epochs from 1: epoch / warmup, at most 1.
        (dict(warmup=4), [0.25, 0.5, 0.75, 1, 1, 1]),
        (dict(start=1, warmup=2, stop=4), [0, 0.5, 1, 1, 0, 0]),
        (dict(stop=None), [1, 1, 1, 1, 1, 1]),
        (dict(stop=0), [0, 0, 0, 0, 0, 0]),
    ],
)
def test_factor(settings: dict, expected: list[float]) -> None:
    assert [Schedule(**settings).factor(step) for step in range(6)] == expected


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


def hook(**settings: Any) -> dict[str, Any]:
    return dict(type='mmkd.DistillScheduleHook', **settings)


def test_by_epoch(distiller: Any, runner_of: Any) -> None:
    recorder = Recorder(distiller)
    schedules = dict(dual_head=dict(stop=1), crd=dict(warmup=2))
    runner = runner_of(distiller, custom_hooks=[hook(schedules=schedules)])
    runner.train()
    assert recorder.seen == dict(
        dual_head=[1.0] * 3 + [0.0] * 3, crd=[0.5] * 3 + [1.0] * 3
    )
    history = runner.message_hub.get_scalar('train/crd_schedule_factor')
    assert history.data[0].tolist() == [0.5, 1.0]


def test_by_iteration(distiller: Any, runner_of: Any) -> None:
    recorder = Recorder(distiller)
    schedules = dict(all=dict(warmup=4), crd=dict(start=2))
    custom = [hook(schedules=schedules, by_epoch=False)]
    loop = dict(by_epoch=False, max_iters=5)
    runner_of(distiller, custom_hooks=custom, train_cfg=loop).train()
    assert recorder.seen == dict(
        dual_head=[0.25, 0.5, 0.75, 1.0, 1.0], crd=[0.0, 0.0, 1.0, 1.0, 1.0]
    )


def test_a_resumed_run_goes_on_where_it_was(distiller: Any, runner_of: Any) -> None:
    custom = [hook(schedules=dict(crd=dict(warmup=4)))]
    runner_of(distiller, custom_hooks=custom).train()
    recorder = Recorder(distiller)
    loop = dict(by_epoch=True, max_epochs=3)
    runner_of(distiller, custom_hooks=custom, train_cfg=loop, resume=True).train()
    assert recorder.seen == dict(dual_head=[None] * 3, crd=[0.75] * 3)


def test_an_unknown_method_is_named_with_the_known_ones(
    distiller: Any, runner_of: Any
) -> None:
    custom = [hook(schedules=dict(dual_haed=dict(stop=1)))]
    runner = runner_of(distiller, custom_hooks=custom)
    with pytest.raises(
        ValueError, match=r"'dual_haed'.*\['dual_head', 'crd'\].*mean 'dual_head'"
    ):
        runner.train()


def test_epochs_of_an_iteration_based_loop_are_refused(
    distiller: Any, runner_of: Any
) -> None:
    custom = [hook(schedules=dict(crd=dict(stop=1)))]
    loop = dict(by_epoch=False, max_iters=5)
    runner = runner_of(distiller, custom_hooks=custom, train_cfg=loop)
    with pytest.raises(ValueError, match='by_epoch=False'):
        runner.train()


@pytest.mark.parametrize(
    ('settings', 'error', 'message'),
    [
        (dict(stop=-1), ValueError, r"'crd'.*stop .* got -1"),
        (dict(warmup=float('inf')), ValueError, r"'crd'.*warmup .* got inf"),
        (dict(start=float('nan')), ValueError, r"'crd'.*start .* got nan"),
        (dict(start='5'), TypeError, r"'crd'.*start must be a number, got '5'"),
        (dict(warmup=True), TypeError, r"'crd'.*warmup must be a number, got True"),
        (dict(start=None), TypeError, r"'crd'.*start must be a number, got None"),
        (dict(start=5, stop=4), ValueError, r"'crd'.*start \(5\), got 4"),
        (dict(end=5), ValueError, r"'crd'.*'stop'.*\['end'\]"),
        (50, TypeError, r"'crd'.*dict.*got 50"),
    ],
)
def test_bad_settings_are_named(
    settings: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        DistillScheduleHook(schedules=dict(crd=settings))
