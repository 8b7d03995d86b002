import math
import shutil
from pathlib import Path
from typing import Any

import pytest
from made_runs import made_run

from mmkd.report.groups import group_runs
from mmkd.report.rules import advice
from mmkd.resilience.training_guard import DIVERGED
from mmkd.runs import Run, read_run

KD = {'kd': dict(type='LogitsKD', weight=0.5)}
FLAT = {25: 50.0, 50: 50.0, 75: 50.0, 100: 50.0}


def said(*runs: Run, key: str | None = 'mIoU') -> str:
    return '\n'.join(each.text for each in advice(group_runs(runs), key))


def three(folder: Path, methods: Any, scores: list[float]) -> list[Run]:
    return [
        made_run(
            folder / f'{"kd" if methods else "alone"}{seed}',
            {25: score, 50: score, 75: score, 100: score},
            methods,
            seed,
        )
        for seed, score in enumerate(scores)
    ]


def test_a_gain_that_is_shown(tmp_path: Path) -> None:
    runs = three(tmp_path, None, [50, 40, 60]) + three(tmp_path, KD, [52, 42.1, 61.9])
    assert said(*runs) == (
        'gains 2.0 [1.8, 2.2] over three seeds (mIoU 52.0, student alone 50.0).'
    )


def test_a_gain_that_is_not(tmp_path: Path) -> None:
    runs = three(tmp_path, None, [50, 50]) + three(tmp_path, KD, [52, 50])
    assert said(*runs).startswith('not shown: 1.0 [\u221211.7, 13.7] over two seeds')
    assert said(*runs).endswith('Train one more seed.')


def test_a_last_score_that_is_not_finite_is_left_out_and_named(tmp_path: Path) -> None:
    runs = three(tmp_path, None, [50, 50]) + three(tmp_path, KD, [52, 52])
    lost = made_run(tmp_path / 'lost', {50: 99.0, 100: math.nan}, KD, seed=0)
    text = said(*runs, lost)
    assert 'gains 2.0 [2.0, 2.0] over two seeds' in text
    assert f'the last mIoU of {lost.folder} is nan: it is left out.' in text


def test_less_is_better_where_the_config_says_so(tmp_path: Path) -> None:
    """A lower error is a gain, the end of a curve that falls is its best."""
    hook = dict(type='CheckpointHook', save_best='rmse', rule='less')
    hooks = dict(default_hooks=dict(checkpoint=hook), key='rmse')
    runs = [
        made_run(tmp_path / name, {25: 90.0, 75: 80.0, 100: end}, methods, 0, **hooks)
        for name, methods, end in (('a', None, 60.0), ('b', KD, 50.0))
    ]
    text = said(*runs, key='rmse')
    assert 'still falling at the end (rmse 80.0 at iteration 75, 50.0' in text
    assert 'not shown: 10.0 with one seed' in text
    assert 'better teacher' not in text


def test_a_run_that_is_not_over_shows_no_gain(tmp_path: Path) -> None:
    runs = three(tmp_path, None, [50, 50, 50]) + three(tmp_path, KD, [52, 52])
    part = {10: dict(loss=1.0)}
    begun = made_run(tmp_path / 'begun', {50: 20.0}, KD, seed=2, train=part)
    assert 'gains 2.0 [2.0, 2.0] over two seeds' in said(*runs, begun)
    text = said(*three(tmp_path / 'again', None, [50]), begun)
    assert 'gains' not in text
    assert '--method none' not in text


def test_what_else_differs_from_the_baseline_is_named(tmp_path: Path) -> None:
    wrapper = dict(optimizer=dict(lr=0.1), clip_grad=None)
    alone = made_run(tmp_path / 'a', FLAT, length=50, optim_wrapper=wrapper)
    taught = made_run(tmp_path / 'b', FLAT, KD)
    assert said(alone, taught).startswith('not shown: 0.0 with one seed')
    assert (
        '(mIoU 50.0, student alone 50.0, which differs in optim_wrapper.optimizer.lr, '
        'train_cfg.max_iters too)' in said(alone, taught)
    )


def test_without_a_baseline_it_asks_for_one(tmp_path: Path) -> None:
    assert '--method none' in said(made_run(tmp_path, FLAT, KD))


def test_a_baseline_that_is_not_over_is_named(tmp_path: Path) -> None:
    begun = made_run(tmp_path / 'a', {50: 20.0}, train={10: dict(loss=1.0)})
    text = said(begun, made_run(tmp_path / 'b', FLAT, KD))
    assert text.startswith('mIoU 50.0, but student alone has no completed run with')


def test_without_common_seeds_it_asks_for_them(tmp_path: Path) -> None:
    runs = made_run(tmp_path / 'a', FLAT, seed=1), made_run(tmp_path / 'b', FLAT, KD)
    assert 'no seed in common' in said(*runs)


def test_without_scores_it_asks_for_them(tmp_path: Path) -> None:
    assert 'val_interval' in said(made_run(tmp_path, methods=KD), key=None)


def teach(run: Run, key: str, score: float, images: int = 100) -> Run:
    run.scalars.val |= {f'teacher/{key}': {0: score}, 'teacher/images': {0: images}}
    return run


@pytest.mark.parametrize(
    ('score', 'where'), [(50.4, '0.4 points above'), (48.0, '2.0 points below')]
)
def test_a_teacher_that_is_no_better(tmp_path: Path, score: float, where: str) -> None:
    alone = made_run(tmp_path / 'a', FLAT)
    taught = teach(made_run(tmp_path / 'b', FLAT, KD), 'mIoU', score)
    assert f'{where} the student alone (50.0): get a better teacher first' in said(
        alone, taught
    )


def test_a_teacher_that_is_better(tmp_path: Path) -> None:
    run = teach(made_run(tmp_path, FLAT, KD), 'mIoU', 51.5)
    assert 'better teacher' not in said(run)


def test_an_accuracy_of_few_images_has_its_interval(tmp_path: Path) -> None:
    run = made_run(tmp_path, FLAT, KD, key='accuracy/top1')
    text = said(teach(run, 'accuracy/top1', 50.0), key='accuracy/top1')
    assert 'top-1 accuracy 50.0 ± 9.8 on 100 validation images' in text


def test_no_teacher_check_no_word_of_the_teacher(tmp_path: Path) -> None:
    assert 'teacher' not in said(made_run(tmp_path, FLAT, KD))


def with_gradients(folder: Path, **values: float) -> Run:
    # Only the second half counts.
    train = {
        step: dict(loss=1.0, **{k: 1.0 if step < 60 else v for k, v in values.items()})
        for step in range(10, 101, 10)
    }
    return made_run(folder, FLAT, KD, train=train)


def test_a_distillation_that_drowns_the_task(tmp_path: Path) -> None:
    run = with_gradients(tmp_path, grad_ratio_stage3=12.0, grad_ratio_classifier=0.01)
    assert "gradient is 12 times the task's in stage 3: lower" in said(run)


def test_a_distillation_that_does_nothing(tmp_path: Path) -> None:
    run = with_gradients(tmp_path, grad_ratio_rest=0.02, grad_ratio_classifier=0.01)
    assert "at most 0.02 times the task's (the rest of the student): raise" in said(run)


def test_a_distillation_of_the_right_strength(tmp_path: Path) -> None:
    run = with_gradients(tmp_path, grad_ratio_rest=9.0, grad_ratio_classifier=0.01)
    assert 'gradient' not in said(run)


def test_losses_that_oppose_each_other(tmp_path: Path) -> None:
    run = with_gradients(tmp_path, grad_cos_classifier=-0.5, grad_cos_rest=0.9)
    assert 'oppose each other in the main classifier (cosine \u22120.50)' in said(run)
    assert '--method dhkd' in said(run)
    assert 'gradient_alignment' in said(run)
    run.settings['model']['methods']['kd'] |= dict(
        type='mmkd.DualHead', gradient_alignment=True
    )
    assert said(run).endswith(": lower the method's weight.")
    fine = with_gradients(tmp_path / 'fine', grad_cos_classifier=-0.1)
    assert 'oppose' not in said(fine)


@pytest.mark.parametrize(
    ('scores', 'word'),
    [
        ([10, 20, 30, 40], 'still rising at the end (mIoU 30.0 at iteration 75, 40.0'),
        ([10, 30, 40, 40.5], ''),
        ([10, 30, 40, 41], 'still rising'),
        ([10, 40, 30, 30], 'best at iteration 50 (mIoU 40.0), 30.0 at the end'),
        ([10, 40, 39.5, 39.5], ''),
        ([10, 40], ''),
    ],
)
def test_the_length_of_a_training(
    tmp_path: Path, scores: list[float], word: str
) -> None:
    steps = (25, 50, 75, 100) if len(scores) == 4 else (50, 100)
    text = said(made_run(tmp_path, dict(zip(steps, scores, strict=True))))
    assert text.startswith(word)
    assert bool(text) == bool(word)


def test_one_that_is_not_over_is_not_called_short(tmp_path: Path) -> None:
    train = {10: dict(loss=1.0), 80: dict(loss=1.0)}
    scores = {20: 10.0, 40: 20.0, 60: 30.0, 80: 40.0}
    text = said(made_run(tmp_path, scores, train=train))
    assert '(80 of 100 iterations)' in text
    assert '--resume' in text
    assert 'rising' not in text


def test_a_loss_that_is_no_number(tmp_path: Path) -> None:
    nan = float('nan')
    train = {10: dict(loss=1.0), 30: dict(loss=nan), 100: dict(loss=nan)}
    assert 'is not finite from iteration 30 on' in said(made_run(tmp_path, train=train))


def test_a_training_that_diverged_is_not_to_go_on(tmp_path: Path) -> None:
    """Its last loss may not have been logged."""
    train = {10: dict(loss=1.0)}
    made_run(tmp_path, train=train)
    (tmp_path / 'log').mkdir()
    (tmp_path / 'log' / 'x.log').write_text(
        '2026/01/01 00:00:00 - mmengine - ERROR - guard.py - _end - 1 - '
        f'iteration 12: loss = nan. {DIVERGED} none yet. Lower the learning rate.'
    )
    shutil.copytree(tmp_path / '20260101_000000', tmp_path / 'log', dirs_exist_ok=True)
    text = said(read_run(tmp_path))
    assert 'has ended (iteration 12: loss = nan): lower the learning rate' in text
    assert '--resume' not in text


def test_epochs_whose_scores_are_logged_by_iteration(tmp_path: Path) -> None:
    train = {4 * n: dict(loss=1.0, epoch=n) for n in range(1, 5)}
    scores = {4: 25.0, 8: 30.0, 12: 40.0, 16: 100.0}
    hooks = dict(logger=dict(type='LoggerHook', log_metric_by_epoch=False))
    loop = dict(train_cfg=dict(max_epochs=4), default_hooks=hooks)
    run = made_run(tmp_path, scores, train=train, **loop)
    assert (run.unit, run.unit_of_scores) == ('epoch', 'iteration')
    assert '40.0 at iteration 12, 100.0 at 16)' in said(run)


def test_scores_that_differ_are_written_so(tmp_path: Path) -> None:
    rising = {25: 0.36, 50: 0.37, 75: 0.38, 100: 0.41}
    assert '(mIoU 0.38 at iteration 75, 0.41 at 100)' in said(
        made_run(tmp_path, rising)
    )
    runs = three(tmp_path / 'three', None, [0.81, 0.81])
    runs += three(tmp_path / 'three', KD, [0.84, 0.84])
    assert '(mIoU 0.84, student alone 0.81)' in said(*runs)


def test_a_step_that_waits_for_data(tmp_path: Path) -> None:
    def train(wait: float) -> dict[int, dict[str, float]]:
        return {step: dict(loss=1, time=1, data_time=wait) for step in (50, 100)}

    waits = made_run(tmp_path / 'a', FLAT, train=train(0.4))
    assert 'spends 40 % of its time waiting for data' in said(waits)
    assert not said(made_run(tmp_path / 'b', FLAT, train=train(0.2)))
