"""The settings of each method, chosen on images that no reported score uses."""

import json
import math
import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from mmkd.compare.comparison import CHANGED, ITS_OWN, Comparison
from mmkd.compare.held_back import DATA
from mmkd.compare.outcome import key_of, read_done
from mmkd.compare.ranges import Settings, settings_to_try, written
from mmkd.compare.saved import last
from mmkd.config.experiments import TOGETHER
from mmkd.runs.training import Training
from mmkd.spread import number

FOLDER = 'tune'
SEED = 1000
"""Seed of the tuning runs, which no compared training uses."""


@dataclass(frozen=True)
class Choice:
    """The settings chosen for a method.

    Attributes:
        tried: The last score by settings, as written on the command line; None if the
            training diverged.
        settings: Those with the best score; the first of them if tied.
        outermost: The keys whose value is the lowest or highest of its range.
    """

    tried: dict[str, float | None]
    settings: Settings
    outermost: list[str]

    def words(self, method: str, held_back: int) -> str:
        """Describe the choice in a sentence.

        Args:
            method: The method.
            held_back: How many images it is based on.
        """
        best = self.tried[written(self.settings)]
        text = f'{method}: {written(self.settings)} is the best of {len(self.tried)}'
        if best is not None:
            text += (
                f' ({number(best, 2)} on {held_back} images held out from the training '
                'set)'
            )
        if failed := list(self.tried.values()).count(None):
            text += f', {failed} of which diverged'
        if self.outermost:
            ends = ', '.join(self.outermost)
            text += f'; at the end of its range, try values beyond it: {ends}'
        return text


class Tuning:
    """Trainings with different settings, scored on part of the training set.

    Args:
        wanted: The comparison to tune for.
        pair: The config of its pair with images held back.
        ranges: Values by setting.

    Raises:
        ValueError: If the methods cannot try equally many settings, or a setting is
            fixed already.
    """

    def __init__(
        self, wanted: Comparison, pair: Path, ranges: Mapping[str, Sequence[str]]
    ) -> None:
        self.ranges = ranges
        changes = [each for each in wanted.changes if not each.startswith(DATA)]
        self.wanted = replace(
            wanted,
            pair=str(pair),
            out=wanted.out / FOLDER,
            changes=changes,
            home=wanted.out,
        )
        own = {method: wanted.own(method, ranges) for method in wanted.methods}
        owned = set(chain.from_iterable(own.values()))
        for key in ranges:
            _check(key, wanted, owned)
        self.settings = settings_to_try(own, ranges)

    def trainings(self) -> list[Training]:
        """All tuning runs."""
        return [each for method in self.settings for each in self.of(method)]

    def of(self, method: str) -> list[Training]:
        """The tuning runs of a method, in the order of its settings."""
        return [
            replace(
                self.wanted.training(method, SEED, self._folder(method, each), each),
                name=f'{method} {written(each)}',
            )
            for each in self.settings[method]
        ]

    def _folder(self, method: str, settings: Settings) -> Path:
        """One that keeps its settings when the ranges change."""
        words = [method, *(f'{key}={value}' for key, value in settings.items())]
        return self.wanted.out / re.sub(r'[^\w.=+-]', '_', '_'.join(words))

    def choices(self) -> dict[str, Choice]:
        """The settings to train each method with, once all tuning runs are complete.

        Raises:
            ValueError: If a method has no run that succeeded, or none logged a score.
        """
        return {method: self._choice(method) for method in self.settings}

    def _choice(self, method: str) -> Choice:
        done = read_done(self.of(method))
        if not done:
            raise ValueError(
                f'--tune: no training of {method} has succeeded. To repeat them, '
                f'remove {self.wanted.out}.'
            )
        key = key_of(done)
        known = {
            each.work_dir: score
            for each, run in done
            if math.isfinite(score := last(run, key))
        }
        if not known:
            raise ValueError(f'--tune: no {key} of {method} is finite.')
        highest = min if done[0][1].is_less_better(key) else max
        scores = [known.get(each.work_dir) for each in self.of(method)]
        best = self.settings[method][scores.index(highest(known.values()))]
        outermost = [
            key
            for key, value in best.items()
            if value in _ends([each[key] for each in self.settings[method]])
        ]
        tried = zip(map(written, self.settings[method]), scores, strict=True)
        return Choice(dict(tried), best, outermost)


def _check(key: str, wanted: Comparison, own: Container[str]) -> None:
    """Check that a setting may have several values.

    Args:
        key: Its key.
        wanted: The comparison.
        own: The keys that are methods' own.
    """
    if key in ITS_OWN:
        raise ValueError(f'--tune {key}: the comparison sets that itself.')
    settings = {each.partition('=')[0] for each in wanted.settings}
    if key in own and key in settings:
        raise ValueError(f'--tune {key}: --set has given it one value.')
    place = f'model.methods.{key}' if key in own else key
    if place in wanted.changed:
        raise ValueError(f'--tune {key}: {CHANGED} has given {place} one value.')
    name = key.partition('.')[0]
    if key not in own and name in TOGETHER.join(wanted.methods).split(TOGETHER):
        raise ValueError(
            f'--tune {key}: a setting begins with the name that its method has in '
            f'model.methods, not {name!r}. Known: {", ".join(wanted.names)}.'
        )


def write_choices(choices: Mapping[str, Choice], path: Path) -> None:
    """Save what was tried and chosen.

    Args:
        choices: By method.
        path: The JSON file.
    """
    content = {
        method: dict(chosen=choice.settings, tried=choice.tried)
        for method, choice in choices.items()
    }
    path.write_text(json.dumps(content, indent=1) + '\n')


def _ends(values: Sequence[str]) -> set[str]:
    """The lowest and the highest number; nothing for names."""
    try:
        return {min(values, key=float), max(values, key=float)}
    except ValueError:
        return set()
