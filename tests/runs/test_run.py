from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
from made_runs import made_run, settings, write_session
from mmengine.hooks import EarlyStoppingHook

from mmkd.engine import StopOnCollapseHook
from mmkd.runs import read_run

TEXT = """2026/01/01 10:00:00 - mmengine - INFO -
    seed: 77
2026/01/01 10:00:30 - mmengine - INFO - Iter(train) [ 10/100] loss: 1
2026/01/01 10:03:00 - mmengine - INFO - bye
"""


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match='nowhere: there is no such folder'):
        read_run(tmp_path / 'nowhere')
    with pytest.raises(FileNotFoundError, match='holds no log'):
        read_run(tmp_path)


def test_a_seed_that_was_drawn_stands_in_the_log(tmp_path: Path) -> None:
    write_session(tmp_path, config=settings(seed=None), text=TEXT)
    assert read_run(tmp_path).seed == 77
    assert made_run(tmp_path / 'given', seed=5).seed == 5


def test_minutes_are_those_of_all_sessions(tmp_path: Path) -> None:
    for name in '12':
        write_session(tmp_path, name=name, text=TEXT)
    assert read_run(tmp_path).minutes == 6


def test_medians_of_times(tmp_path: Path) -> None:
    train = {
        step: dict(lr=0.1, time=time, data_time=time / 4, memory=step)
        for step, time in ((1, 9.0), (2, 0.2), (3, 0.2))
    }
    run = made_run(tmp_path, train=train)
    assert run.step_ms == pytest.approx(200)
    assert run.waiting == pytest.approx(0.25)
    assert run.memory == 3
    assert run.iterations == 3


def test_whether_it_came_to_its_end(tmp_path: Path) -> None:
    train = {10: dict(loss=1.0)}
    assert not made_run(tmp_path / 'a', train=train).finished
    assert made_run(tmp_path / 'b', {100: 1.0}, train=train).finished
    assert made_run(tmp_path / 'c', train={100: dict(loss=1.0)}).finished
    (tmp_path / 'a' / 'iter_100.pth').touch()
    assert read_run(tmp_path / 'a').finished


@pytest.mark.parametrize(
    ('loop', 'scores', 'finished'),
    [
        (dict(val_interval=50), [], False),
        (dict(val_interval=50), [50], False),
        (dict(val_interval=50), [50, 100], True),
        # Older MMEngines do not validate at an end that no interval reaches,
        (dict(val_interval=30), [30, 60, 90], True),
        (dict(val_interval=50, dynamic_intervals=[(60, 30)]), [50], True),
        # but mmkd's loops do,
        (dict(val_interval=30, type='mmkd.ResumableIterLoop'), [30, 60, 90], False),
        # unless they never validate.
        (dict(val_interval=50, val_begin=200), [], True),
        # By epoch.
        (dict(val_interval=50), [0], True),
    ],
)
def test_the_validation_at_its_end_is_part_of_a_training(
    loop: dict[str, Any], scores: list[int], finished: bool, tmp_path: Path
) -> None:
    """A checkpoint and the log of the last step are there before its score is."""
    (tmp_path / 'iter_100.pth').touch()
    loop = settings()['train_cfg'] | loop
    logged = dict.fromkeys(scores, 1.0)
    run = made_run(tmp_path, logged, train_cfg=loop, val_cfg=dict(type='ValLoop'))
    assert run.finished == finished


def test_scores_by_epoch_and_others_by_iteration(tmp_path: Path) -> None:
    """MMEngine's default for both loops counts epochs, of which there is only 0."""
    logged = {0: {'mIoU': 50.0}, 10: {'own': 1.0}}
    config = settings(val_cfg={}) | dict(train_cfg=dict(max_iters=20, val_interval=10))
    write_session(tmp_path, {19: dict(loss=1.0)}, logged, config)
    assert not read_run(tmp_path).finished
    (tmp_path / 'iter_20.pth').touch()
    assert read_run(tmp_path).finished


def test_a_score_that_a_resumed_session_no_longer_logs(tmp_path: Path) -> None:
    config = settings(val_cfg={}) | dict(train_cfg=dict(max_iters=100, val_interval=50))
    train = {50: dict(loss=1.0), 100: dict(loss=1.0)}
    write_session(tmp_path, train, {50: dict(mIoU=1.0)}, config, name='1')
    scores = {50: dict(mDice=1.0), 100: dict(mDice=1.0)}
    config = config | dict(resume=True)
    write_session(tmp_path, train, scores, config, name='2')
    assert read_run(tmp_path).finished


def test_what_hooks_log_at_the_end_is_no_score(tmp_path: Path) -> None:
    logged = {100: {'collapse_nc1': 0.5}}
    config = settings(val_cfg={}) | dict(train_cfg=dict(max_iters=100, val_interval=50))
    write_session(tmp_path, {100: dict(loss=1.0)}, logged, config)
    assert not read_run(tmp_path).finished


@pytest.mark.parametrize(
    ('unit', 'score', 'text', 'count'),
    [
        # 300 of 313 are the last that was logged of an epoch.
        ('epochs', 2, 'Epoch(train)   [2][300/313]', 626),
        ('epochs', 1, 'Epoch(train)   [2][300/313]', 613),
        ('iterations', 700, '', 700),
        ('iterations', 500, '', 613),
    ],
)
def test_iterations_are_those_that_were_trained(
    tmp_path: Path, unit: str, score: int, text: str, count: int
) -> None:
    """Not those that were logged, but for a training that is not complete."""
    train = dict(max_epochs=2) if unit == 'epochs' else dict(max_iters=700)
    config = settings() | dict(train_cfg=train)
    logged = {step: dict(loss=1.0, epoch=1 + step // 314) for step in (300, 613)}
    write_session(tmp_path, logged, {score: dict(mIoU=1.0)}, config, text=text)
    assert read_run(tmp_path).iterations == count


def ending(hook: Any, scores: list[float]) -> str:
    """What a hook logs as it ends a training after these scores."""
    runner = MagicMock(iter=9)
    runner.train_loop.stop_training = False
    for score in scores:
        hook.after_val_epoch(runner, {'mIoU': score})
    assert runner.train_loop.stop_training
    [(_, [told], _)] = runner.logger.method_calls
    return str(told)


@pytest.mark.parametrize(
    ('hook', 'scores'),
    [
        (EarlyStoppingHook('mIoU', 'greater', patience=1), [5.0, 4.0]),
        (EarlyStoppingHook('mIoU', 'greater', stopping_threshold=3), [4.0]),
        (EarlyStoppingHook('mIoU', 'greater'), [float('inf')]),
        (StopOnCollapseHook('mIoU', bound=5, begin=0), [4.0]),
    ],
)
def test_one_that_a_hook_has_ended_is_finished(
    tmp_path: Path, hook: Any, scores: list[float]
) -> None:
    begun, text = {10: dict(loss=1.0)}, ending(hook, scores)
    write_session(tmp_path, begun, config=settings(), name='1', text=text)
    assert read_run(tmp_path).finished
    write_session(tmp_path, begun, config=settings(), name='2', text='killed')
    assert not read_run(tmp_path).finished


def test_epochs(tmp_path: Path) -> None:
    train = {25: dict(loss=1.0, epoch=1), 75: dict(loss=1.0, epoch=3)}
    loop = dict(max_epochs=4)
    run = made_run(tmp_path / 'a', {2: 1.0}, train=train, train_cfg=loop)
    assert (run.unit, run.length, run.reached, run.finished) == ('epoch', 4, 3, False)
    assert made_run(tmp_path / 'b', {4: 1.0}, train_cfg=loop).finished


def test_the_checkpoint_of_a_folder_that_was_moved(tmp_path: Path) -> None:
    run = made_run(tmp_path)
    assert run.checkpoint is None
    (tmp_path / 'last_checkpoint').write_text('/elsewhere/iter_50.pth')
    assert run.checkpoint is None
    (tmp_path / 'student.pth').touch()
    assert run.checkpoint == tmp_path / 'student.pth'
    # The student is from the training before this one.
    (tmp_path / 'iter_50.pth').touch()
    assert run.checkpoint == tmp_path / 'iter_50.pth'


def test_a_checkpoint_in_another_folder(tmp_path: Path) -> None:
    """As with the ``out_dir`` of MMEngine's hook."""
    run, elsewhere = made_run(tmp_path / 'run'), tmp_path / 'all' / 'iter_50.pth'
    elsewhere.parent.mkdir()
    elsewhere.touch()
    (tmp_path / 'run' / 'last_checkpoint').write_text(str(elsewhere))
    assert run.checkpoint == elsewhere
    (tmp_path / 'run' / 'iter_50.pth').touch()
    assert run.checkpoint == tmp_path / 'run' / 'iter_50.pth'


def test_a_student_that_it_wrote_itself_is_its_end(tmp_path: Path) -> None:
    for name in ('iter_50.pth', 'student.pth'):
        (tmp_path / name).touch()
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'iter_50.pth'))
    text = f'The student is saved in {tmp_path}/student.pth.'
    begun = {10: dict(loss=1.0)}
    write_session(tmp_path, begun, config=settings(), name='1', text=text)
    run = read_run(tmp_path)
    assert run.finished
    assert run.checkpoint == tmp_path / 'student.pth'
    write_session(tmp_path, {20: dict(loss=1.0)}, config=settings(), name='2')
    run = read_run(tmp_path)
    assert not run.finished
    assert run.checkpoint == tmp_path / 'iter_50.pth'


def test_it_begins_where_its_first_session_did(tmp_path: Path) -> None:
    sessions: list[dict[str, Any]] = [
        dict(load_from='earlier.pth', resume=False),
        dict(load_from='pretrained.pth'),
        dict(load_from=str(tmp_path / 'iter_50.pth'), resume=True),
    ]
    for name, given in enumerate(sessions):
        write_session(tmp_path, config=settings(**given), name=str(name))
    assert read_run(tmp_path).settings['load_from'] == 'pretrained.pth'


def test_methods(tmp_path: Path) -> None:
    assert made_run(tmp_path / 'a').methods is None
    kd = made_run(tmp_path / 'b', methods={'kd': dict(type='LogitsKD')})
    assert kd.methods == {'kd': dict(type='LogitsKD')}
    assert kd.student == made_run(tmp_path / 'c').student
