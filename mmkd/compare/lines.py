"""Finished runs, read from their result lines."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmkd.compare.comparison import TEACHER
from mmkd.compare.line_files import Line, read_lines, read_object
from mmkd.spread import NOTHING, Gain, number, paired_gain, spread

NOT_RECORDED = 'not recorded'

LESS = 'lower'
"""Which score is better, in the lines of runs for which that is so."""


@dataclass(frozen=True)
class Row:
    """Runs that differ only in their seed.

    Attributes:
        label: Their name.
        lines: Their result lines, by seed.
    """

    label: str
    lines: Mapping[int, Line]

    @property
    def scores(self) -> dict[int, float]:
        """The last score of each seed."""
        return {seed: line['last'] for seed, line in self.lines.items()}

    @property
    def mean(self) -> float:
        """The mean of the scores."""
        return statistics.fmean(self.scores.values())

    @property
    def less_is_better(self) -> bool:
        """Whether a lower score is better, as its runs have noted."""
        return any(line.get('better') == LESS for line in self.lines.values())

    @property
    def is_teacher(self) -> bool:
        """Whether these runs trained the teacher."""
        return all(line.get('method') == TEACHER for line in self.lines.values())

    @property
    def command(self) -> tuple[str, ...]:
        """The command of its first seed."""
        return tuple(next(iter(self.lines.values()))['command'])

    @property
    def sources(self) -> list[str]:
        """The sources of lines that no run wrote."""
        found = (line.get('source') for line in self.lines.values())
        return list(dict.fromkeys(filter(None, found)))

    def gain_over(self, baseline: 'Row') -> Gain | None:
        """The gain over another row, paired by seed; None without a common one."""
        return paired_gain(self.scores, baseline.scores, self.less_is_better)

    def cell(self, kind: str, baseline: 'Row | None', digits: int = 2) -> str:
        """The content of a table cell.

        Args:
            kind: ``'seeds'``; for the scores ``'mean'``, ``'each'`` or the ``'gain'``
                over the baseline; or a field of the lines, which is averaged.
            baseline: A row to compare with.
            digits: Decimal places of scores.
        """
        scores = self.scores.values()
        if kind == 'seeds':
            return _seeds(list(self.lines))
        if kind == 'mean':
            return spread(scores, digits)
        if kind == 'each':
            return ', '.join(number(score, digits) for score in scores)
        if kind == 'gain':
            # A teacher's seeds are not those of students.
            if baseline is None or baseline is self or self.is_teacher:
                return NOTHING
            gain = self.gain_over(baseline)
            return gain.written(digits) if gain else NOTHING
        values = [line.get(kind) for line in self.lines.values()]
        if None in values:
            return NOT_RECORDED
        if all(isinstance(value, int) for value in values) and len(set(values)) == 1:
            return f'{values[0]:,}'
        return spread(values, 1)


class Results:
    """The result lines of all files in a folder.

    Args:
        folder: Contains ``*.jsonl`` files with a line per run, the output of
            ``mmkd profile`` for their networks, and the ``tuned.json`` of their tuning.
        lines: By name of a file, lines to take instead of those of the folder's files.

    Raises:
        ValueError: If a line is not the JSON of a run with a finite score; the message
            names it.
    """

    def __init__(
        self, folder: Path, lines: Mapping[str, Sequence[Line]] | None = None
    ) -> None:
        self._folder = folder
        self._lines = lines or {
            path.name: read_lines(path) for path in sorted(folder.glob('*.jsonl'))
        }
        self._shown: set[tuple[str, int]] = set()

    def rows(self, file: str, wanted: Mapping[str, Mapping[str, Any]]) -> Iterator[Row]:
        """The rows of a table.

        Args:
            file: The file with the lines.
            wanted: By label, the field values of its lines; None for a missing field.

        Raises:
            ValueError: If there is no such file, or if a row has no line, two lines of
                one seed, or a line of another row.
        """
        if file not in self._lines:
            raise ValueError(f'there is no {file}, only {", ".join(self._lines)}')
        taken: dict[int, str] = {}
        for label, fields in wanted.items():
            lines: dict[int, Line] = {}
            for place, line in enumerate(self._lines[file]):
                if any(line.get(key) != value for key, value in fields.items()):
                    continue
                if place in taken or line['seed'] in lines:
                    other = taken.get(place, f'another line of seed {line["seed"]}')
                    raise ValueError(
                        f'{file}, line {place + 1}: {label!r} conflicts with {other!r}'
                    )
                taken[place] = label
                lines[line['seed']] = line
            if not lines:
                raise ValueError(f'{label!r} has no line in {file}')
            yield Row(label, dict(sorted(lines.items())))
        self._shown |= {(file, place) for place in taken}

    def deployed(self, file: str, runtime: str) -> dict[str, Line]:
        """Measurements of deployed networks, by ``'teacher'`` and ``'student'``.

        Args:
            file: Output of ``mmkd profile --out``.
            runtime: A runtime listed in it.

        Raises:
            ValueError: If there is no such file, or a network has no such runtime.
        """
        found = {}
        for network in self.read(file)['networks']:
            forms = {form['runtime']: form for form in network['forms']}
            if runtime not in forms:
                raise ValueError(f'{file} has no {runtime!r}, only {", ".join(forms)}')
            found[network['network']] = forms[runtime]
        return found

    def read(self, file: str) -> dict[str, Any]:
        """All that ``mmkd profile --out`` or ``mmkd compare --tune`` has written.

        Args:
            file: The file.

        Raises:
            ValueError: If there is no such file, or it is not a JSON object.
        """
        path = self._folder / file
        if not path.is_file():
            raise ValueError(f'there is no {file}')
        return read_object(str(path), path.read_bytes())

    @property
    def hidden(self) -> list[str]:
        """The lines that no table has shown so far, as ``FILE, line NUMBER``."""
        return [
            f'{file}, line {place + 1}'
            for file, lines in self._lines.items()
            for place in range(len(lines))
            if (file, place) not in self._shown
        ]


def _seeds(seeds: Sequence[int]) -> str:
    if len(seeds) > 2 and seeds[-1] - seeds[0] == len(seeds) - 1:
        return f'{seeds[0]}\N{EN DASH}{seeds[-1]}'
    return ', '.join(map(str, seeds))
