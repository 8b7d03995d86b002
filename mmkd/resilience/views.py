"""Views: a sample as the network sees it at one visit in training."""

from dataclasses import dataclass
from numbers import Integral
from typing import Any

from torch.utils.data import BatchSampler

from mmkd.resilience.reading import Key

BY_EPOCHS = (
    'DefaultSampler',
    'DistributedSampler',
    'RandomSampler',
    'SequentialSampler',
    'SubsetRandomSampler',
)
"""Samplers that visit each sample once per epoch."""

ENDLESS = 'InfiniteSampler'
"""MMEngine's sampler that passes over all samples again and again."""


@dataclass(frozen=True)
class Views:
    """Which views of its samples a training sees.

    On its v-th visit a sample is seen as view ``v mod count``. The random numbers of a
    view depend only on this seed, the view's number and the sample's index, not on
    batch size, order, processes or workers. Trainings with the same seed and count see
    the same images.

    Attributes:
        seed: For the views only; order, initial weights and dropout use another.
        count: How many views each sample has; None for a new one at each visit.
    """

    seed: int
    count: int | None = None

    def key(self, visit: int, index: Any) -> Key:
        """Seed, view and sample, which determine the random numbers of a view.

        Args:
            visit: The number of the visit, from 0.
            index: The sample's index; any that is not an integer counts as -1.
        """
        view = visit if self.count is None else visit % self.count
        return self.seed, view, int(index) if isinstance(index, Integral) else -1


class Visits:
    """Counts the visits to samples in a training.

    A visit is a pass of the sampler. If a sampler has no passes, because it draws with
    replacement or mmkd does not know it, every draw is a new visit.

    Args:
        batches: The batch sampler of a training's loader.

    Attributes:
        undefined: Why it has no passes, as part of a sentence; empty if it has.
    """

    def __init__(self, batches: Any) -> None:
        sampler = getattr(batches, 'sampler', batches)
        name = type(sampler).__name__
        self._size = sampler.size if name == ENDLESS else None
        self.undefined = ''
        if type(batches) is not BatchSampler:
            self.undefined = f'{type(batches).__name__} may draw a sample at any time'
        elif name not in (*BY_EPOCHS, ENDLESS):
            self.undefined = f'{name} may draw a sample at any time'
        elif getattr(sampler, 'replacement', False):
            self.undefined = f'{name} draws with replacement'
        elif getattr(sampler, '_num_samples', None) is not None:
            self.undefined = f'{name}(num_samples=...) does not pass over all samples'

    def number(self, epoch: int, drawn: int, iteration: int, place: int) -> int:
        """The number of a visit, from 0.

        Args:
            epoch: The epoch.
            drawn: How many samples the sampler has drawn before, for all processes.
            iteration: The iteration.
            place: The sample's position in the total batch, over all processes.
        """
        if self.undefined:
            return iteration << 32 | place
        return epoch if self._size is None else drawn // self._size
