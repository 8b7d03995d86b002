from pathlib import Path

import pytest
from made_runs import write_session

from mmkd.runs.scalars import LOGS, Scalars, read_scalars


def scalars_of(folder: Path) -> Scalars:
    return read_scalars(sorted(folder.glob(LOGS)))


def test_training_and_validation_stay_apart(tmp_path: Path) -> None:
    train, val = {'lr': 0.1, 'time': 0.5}, {'mIoU': 3, 'time': 9.0}
    write_session(tmp_path, {5: train}, {5: val})
    scalars = scalars_of(tmp_path)
    assert scalars.train == {'lr': {5: 0.1}, 'time': {5: 0.5}}
    assert scalars.val == {'mIoU': {5: 3}, 'time': {5: 9.0}}
    assert scalars.curve('lr') == {5: 0.1}
    assert scalars.curve('time') == {5: 9.0}


def test_what_a_resumed_run_repeats_counts_once(tmp_path: Path) -> None:
    one = {step: {'loss': float(step)} for step in (10, 20, 30, 40)}
    write_session(tmp_path, one, {20: {'mIoU': 1.0}}, name='1')
    write_session(tmp_path, {30: {'loss': 7.0}}, {40: {'mIoU': 2.0}}, name='2')
    scalars = scalars_of(tmp_path)
    assert scalars.train['loss'] == {10: 10.0, 20: 20.0, 30: 7.0}
    assert scalars.val['mIoU'] == {20: 1.0, 40: 2.0}


def test_of_one_that_began_anew_nothing_old_is_left(tmp_path: Path) -> None:
    one = {step: {'loss': float(step)} for step in (10, 20, 30)}
    write_session(tmp_path, one, {20: {'mIoU': 1.0}}, name='1')
    write_session(tmp_path, {10: {'loss': 7.0}}, name='2')
    scalars = scalars_of(tmp_path)
    assert scalars.train['loss'] == {10: 7.0}
    assert not scalars.val


@pytest.mark.parametrize('first', [{}, {10: {'loss': 1.0}}])
def test_a_score_from_before_the_first_logged_step_is_kept(
    first: dict[int, dict[str, float]], tmp_path: Path
) -> None:
    """A resumed session does not check the teacher again."""
    begun, again = (dict(resume=resume) for resume in (False, True))
    scores = {0: {'teacher/mIoU': 50.0}, 5: {'mIoU': 1.0}}
    write_session(tmp_path, first, scores, begun, name='1')
    write_session(tmp_path, {10: {'loss': 7.0}}, {10: {'mIoU': 2.0}}, again, name='2')
    scalars = scalars_of(tmp_path)
    assert scalars.val == {'teacher/mIoU': {0: 50.0}, 'mIoU': {5: 1.0, 10: 2.0}}
    assert scalars.train['loss'] == {10: 7.0}


@pytest.mark.parametrize('line', ['5', '[1]', '{"loss": 1}', '{"step": "x"}'])
def test_json_that_is_no_log_is_named(tmp_path: Path, line: str) -> None:
    log = write_session(tmp_path, {10: {'loss': 1.0}})
    log.write_text(f'{line}\n{log.read_text()}')
    with pytest.raises(ValueError, match=r'scalars\.json, line 1 is not a log rec'):
        scalars_of(tmp_path)


def test_words_and_switches_are_no_curves(tmp_path: Path) -> None:
    log = write_session(tmp_path)
    log.write_text('{"loss": NaN, "word": "x", "on": true, "list": [1], "step": 1}\n')
    assert set(scalars_of(tmp_path).train) == {'loss'}
