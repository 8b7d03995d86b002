"""Rows of steps: each a ratio of forms that take turns in the same rounds."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.forms import (
    ALIGNED,
    BACKWARD,
    COMPILED,
    COMPILED_AMP,
    DHKD,
    DHKD_AMP,
    KD,
    KD_AMP,
    MHKD,
    RECORDED,
    RECORDED_AMP,
    STUDENT,
    STUDENT_AMP,
    TEACHER,
    USUAL,
    Forms,
)
from benchmarks.rounds import Times, in_turns
from benchmarks.table import NOT_APPLICABLE, Row, row

HALF = ('amp', 'recorded_amp', 'compiled_amp')
"""Subjects that need a CPU with bfloat16 instructions."""

SECONDS = {1: 11.0, 3: 2.1}
"""Time for a round on a slow machine, by :attr:`Ratio.times`: its forms differ."""

CPU_INFO = Path('/proc/cpuinfo')
BFLOAT16 = {'avx512_bf16', 'amx_bf16', 'bf16'}
"""Linux's names for bfloat16 instructions."""


@dataclass(frozen=True)
class Ratio:
    """A figure computed from the times of one round.

    Attributes:
        subject: Its name for ``--only``.
        figure: Its title.
        above: The forms whose times are added.
        below: The forms that they are divided by.
        bars: For images, for pixels; None if the figure has none.
        minus: The forms whose times are subtracted from those above.
        times: Factor by which it needs more rounds. Figures with the same factor share
            their rounds.
    """

    subject: str
    figure: str
    above: tuple[str, ...]
    below: tuple[str, ...]
    bars: tuple[float, float] | None
    minus: tuple[str, ...] = ()
    times: int = 1

    @property
    def forms(self) -> tuple[str, ...]:
        """All forms that it needs."""
        return (*self.above, *self.below, *self.minus)

    def of(self, times: Times) -> float:
        """Its value in a round."""
        above = sum(times[name] for name in self.above)
        minus = sum(times[name] for name in self.minus)
        return (above - minus) / sum(times[name] for name in self.below)


RATIOS = (
    Ratio('steps', 'KD step ÷ usual loop', (KD,), (USUAL,), (0.92, 0.90)),
    Ratio('steps', 'DHKD step ÷ usual loop', (DHKD,), (USUAL,), (0.92, 0.90)),
    Ratio('amp', 'KD step with --amp ÷ usual loop', (KD_AMP,), (USUAL,), (0.48, 0.48)),
    Ratio(
        'amp', 'DHKD step with --amp ÷ usual loop', (DHKD_AMP,), (USUAL,), (0.48, 0.48)
    ),
    Ratio(
        'own',
        'KD step ÷ (its student + its teacher)',
        (KD,),
        (STUDENT, TEACHER),
        (1.02, 1.02),
    ),
    Ratio(
        'recorded',
        'KD step, recorded ÷ its student',
        (RECORDED,),
        (STUDENT,),
        (1.05, 1.05),
    ),
    Ratio(
        'recorded',
        'KD step, recorded ÷ usual loop',
        (RECORDED,),
        (USUAL,),
        (0.37, 0.37),
    ),
    Ratio(
        'recorded_amp',
        'KD step, recorded, with --amp ÷ its student',
        (RECORDED_AMP,),
        (STUDENT_AMP,),
        (1.05, 1.05),
    ),
    Ratio(
        'recorded_amp',
        'KD step, recorded, with --amp ÷ usual loop',
        (RECORDED_AMP,),
        (USUAL,),
        (0.21, 0.21),
    ),
    Ratio(
        'compiled',
        'KD step, teacher compiled ÷ usual loop',
        (COMPILED,),
        (USUAL,),
        None,
    ),
    Ratio(
        'compiled_amp',
        'KD step, teacher compiled, with --amp ÷ usual loop',
        (COMPILED_AMP,),
        (USUAL,),
        None,
    ),
    Ratio('mhkd', 'MHKD step ÷ KD step', (MHKD,), (KD,), (1.6, 1.2)),
    Ratio(
        'alignment',
        'what alignment adds ÷ a backward pass',
        (ALIGNED,),
        (BACKWARD,),
        (1.05, 1.05),
        minus=(DHKD,),
        # A small difference of two long steps is noisy.
        times=3,
    ),
)
"""The figures of steps."""


def has_bfloat16() -> bool:
    """Whether the CPU is known to have bfloat16 instructions."""
    words = CPU_INFO.read_text().split() if CPU_INFO.exists() else ()
    return not BFLOAT16.isdisjoint(words)


def rows(forms: Forms, subjects: Collection[str], rounds: int) -> Iterator[Row]:
    """Measure the figures of a pair.

    Args:
        forms: The forms of the pair.
        subjects: Which figures.
        rounds: How often the forms take turns.
    """
    pair, device = forms.workshop.pair, forms.workshop.device
    chosen = [ratio for ratio in RATIOS if ratio.subject in subjects]
    able = device != 'cpu' or has_bfloat16()
    measured = [ratio for ratio in chosen if able or ratio.subject not in HALF]
    seen: dict[int, list[Times]] = {}
    for count in dict.fromkeys(ratio.times for ratio in measured):
        together = [ratio for ratio in measured if ratio.times == count]
        names = dict.fromkeys(name for ratio in together for name in ratio.forms)
        seen[count] = in_turns(
            forms.several(names), count * rounds, seconds=SECONDS[count]
        )
    for ratio in chosen:
        bars = ratio.bars if device == 'cpu' else None
        bar = None if bars is None else bars[pair.is_maps]
        if ratio in measured:
            values = [ratio.of(times) for times in seen[ratio.times]]
            yield row(ratio.figure, pair.title, values, bar)
        else:
            yield Row(ratio.figure, pair.title, NOT_APPLICABLE, bar)
