"""The settings of each method, chosen on images that nothing is reported of."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mmkd.compare.comparison import Comparison
from mmkd.compare.outcome import key_of, last, read_done
from mmkd.compare.ranges import Settings, settings_to_try
from mmkd.runs.training import Training
from mmkd.spread import number

FOLDER = 'tune'
SEED = 1000
"""Of the trainings that are chosen from: none of those that are compared."""


@dataclass(frozen=True)
class Choice:
    """What was chosen for a method.

    Attributes:
        tried: The last score by settings, as these stand on a command line.
        settings: Those of the highest, the first of equals.
        outermost: Those keys whose value is the first or last of its range.
    """

    tried: dict[str, float]
    settings: Settings
    outermost: list[str]

    def words(self, method: str, held_back: int) -> str:
        """A sentence.

        Args:
            method: Whose choice it is.
            held_back: How many images it was made on.
        """
        best = number(max(self.tried.values()), 2)
        text = (
            f'{method}: {_written(self.settings)} is the best of {len(self.tried)} '
            f'({best} on {held_back} images held back from the training set)'
        )
        if self.outermost:
            ends = ', '.join(self.outermost)
            text += f'; at the end of its range, try beyond: {ends}'
        return text


class Tuning:
    """Trainings with other settings, scored on a part of the training set.

    Args:
        wanted: What is to be compared.
        pair: The config of its pair with images held back.
        ranges: Values by the keys of settings.

    Raises:
        ValueError: If the ranges are not the same for all.
    """

    def __init__(
        self, wanted: Comparison, pair: Path, ranges: Mapping[str, Sequence[str]]
    ) -> None:
        self.ranges = ranges
        self.wanted = replace(wanted, pair=str(pair), out=wanted.out / FOLDER)
        own = {method: wanted.own(method, ranges) for method in wanted.methods}
        self.settings = settings_to_try(own, ranges)

    def trainings(self) -> list[Training]:
        """All of them."""
        return [each for method in self.settings for each in self.of(method)]

    def of(self, method: str) -> list[Training]:
        """Those of a method, in the order of its settings."""
        length = self.wanted.length_of(method)
        return [
            replace(
                self.wanted.training(
                    method, SEED, self.wanted.out / f'{method}_{place}', length, each
                ),
                name=f'{method} {_written(each)}',
            )
            for place, each in enumerate(self.settings[method])
        ]

    def choices(self) -> dict[str, Choice]:
        """What to train each method with, once all trainings are done.

        Raises:
            ValueError: If no run has logged a score.
        """
        return {method: self._choice(method) for method in self.settings}

    def _choice(self, method: str) -> Choice:
        done = read_done(self.of(method))
        key = key_of(done)
        scores = [last(run, key) for _, run in done]
        best = self.settings[method][scores.index(max(scores))]
        outermost = [
            key
            for key, value in best.items()
            if value in _ends([each[key] for each in self.settings[method]])
        ]
        tried = zip(map(_written, self.settings[method]), scores, strict=True)
        return Choice(dict(tried), best, outermost)


def write_choices(choices: Mapping[str, Choice], path: Path) -> None:
    """Keep what was tried and chosen.

    Args:
        choices: By method.
        path: The file, of JSON.
    """
    content = {
        method: dict(chosen=choice.settings, tried=choice.tried)
        for method, choice in choices.items()
    }
    path.write_text(json.dumps(content, indent=1) + '\n')


def _ends(values: Sequence[str]) -> set[str]:
    """The lowest and highest of numbers; nothing of names."""
    try:
        return {min(values, key=float), max(values, key=float)}
    except ValueError:
        return set()


def _written(settings: Settings) -> str:
    return ' '.join(f'{key}={value}' for key, value in settings.items())
