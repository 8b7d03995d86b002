"""Whether distillation helps, or what is missing to tell."""

import statistics
from collections.abc import Iterator, Sequence

from mmkd.nearest import listed
from mmkd.report.groups import Group, baseline_of
from mmkd.report.rules.advice import Advice, score_name
from mmkd.report.settings import unequal
from mmkd.spread import Gain, in_words, paired_gain, told_apart


def gain_over_baseline(
    group: Group, groups: Sequence[Group], key: str
) -> Gain | None:
    """The gain of a group's last scores over the student alone, paired by seed.

    Returns:
        None if there is no student alone, or no completed runs of both share a seed.
    """
    baseline = baseline_of(group, groups)
    if baseline is None:
        return None
    less = group.first.is_less_better(key)
    return paired_gain(group.scores(key), baseline.scores(key), less)


def gains(groups: Sequence[Group], key: str | None) -> Iterator[Advice]:
    """The gain of each distillation, or what is missing to determine it."""
    if key is None:
        yield Advice(
            'do',
            '',
            'No run has logged a score: give the config a val_evaluator and set '
            'train_cfg.val_interval.',
        )
        return
    for group in groups:
        if group.alone or not group.scores(key):
            continue
        baseline = baseline_of(group, groups)
        if baseline is None:
            yield Advice(
                'do',
                group.label,
                f'{score_name(key)} {_mean(group, key)}, but there is no student alone '
                'on the same data to compare with: train it with --method none and all '
                'else equal.',
            )
            continue
        if not baseline.scores(key):
            yield Advice(
                'do',
                group.label,
                f'{score_name(key)} {_mean(group, key)}, but {baseline.label} has no '
                'completed run with this score to compare with: finish one with the '
                'same seed.',
            )
            continue
        gain = gain_over_baseline(group, groups, key)
        if gain is None:
            yield Advice(
                'do',
                group.label,
                'no seed in common with the student alone: train both with the same '
                'seeds (randomness.seed).',
            )
        else:
            yield _verdict(group, baseline, gain, key)


def _verdict(group: Group, baseline: Group, gain: Gain, key: str) -> Advice:
    own, alone = told_apart(_mean(group, key), _mean(baseline, key))
    scores = f'{score_name(key)} {own}, {baseline.label} {alone}'
    others = unequal(baseline.first, group.first)
    if others:
        scores += f', which differs in {listed(others, 3)} too'
    if gain.shown:
        return Advice(
            'good' if gain.mean > 0 else 'bad',
            group.label,
            f'{gain.verdict} ({scores}).',
        )
    more = ''
    if gain.pairs < 3:
        more = f' Train {in_words(3 - gain.pairs)} more seed{"s" * (gain.pairs < 2)}.'
    return Advice('do', group.label, f'{gain.verdict} ({scores}).{more}')


def _mean(group: Group, key: str) -> float:
    return statistics.fmean(group.scores(key).values())
