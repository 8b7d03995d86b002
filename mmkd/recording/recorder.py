"""Runs a teacher over all views of a training and stores what methods tap."""

import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.dist import all_gather_object, barrier, get_dist_info
from mmengine.runner import Runner
from torch import Tensor

from mmkd.models.distiller import Distiller
from mmkd.models.taps import Tap
from mmkd.models.teachers.recorded import tap_name
from mmkd.recording.plan import check_space, duration
from mmkd.recording.stream import READ, batches_of
from mmkd.records.manifest import Manifest, RecordError, shard_name
from mmkd.records.rows import Rows, fill, row_type
from mmkd.resilience.files import whole_or_nothing
from mmkd.resilience.runner_model import model_of

TRIAL = 10
"""Batches of the trial run that estimates the time."""


class Seen(NamedTuple):
    """A teacher's values for a batch.

    Attributes:
        values: The values by tap.
        samples: Indices of the samples that were read.
        data_samples: Their annotations.
        inputs: The images.
    """

    values: dict[Tap, Tensor]
    samples: list[int]
    data_samples: Any
    inputs: Tensor


class TeacherStream:
    """A teacher and the views that it sees.

    Args:
        runner: The runner of the training, whose training loop is built.
    """

    def __init__(self, runner: Runner) -> None:
        self.distiller: Distiller = model_of(runner)
        self.loader: Any = runner.train_loop.dataloader
        self.views = runner.train_loop.views
        self.taps = {
            tap
            for method in self.distiller.named_methods.values()
            for tap in method.taps_in_teacher
        }
        if not self.taps:
            raise ValueError('no method taps the teacher: there is nothing to record.')
        self.distiller.eval()

    @property
    def batch(self) -> int:
        """Samples per batch."""
        sampler = self.loader.batch_sampler
        return int(self.loader.batch_size or getattr(sampler, 'batch_size', 1))

    def see(self, batches: Sequence[Sequence[int]]) -> Iterator[Seen]:
        """Run the teacher on batches of rows.

        Args:
            batches: The row numbers of each batch.

        Raises:
            ValueError: If the image size differs between batches.
        """
        size = None
        for batch in batches_of(self.loader, self.views, batches):
            data = self.distiller.data_preprocessor(batch, True)
            inputs, samples = data['inputs'], data['data_samples']
            if size not in (None, inputs.shape[1:]):
                raise ValueError(
                    f'a batch of images of {tuple(inputs.shape[1:])} follows one of '
                    f'{size}: recorded values must not depend on the batch, whose '
                    'largest image determines the padding of the others. Set '
                    'data_preprocessor.size to the size of the crops.'
                )
            size = inputs.shape[1:]
            with torch.no_grad():
                values = self.distiller.teacher(inputs, self.taps, samples)
            self.distiller.teacher.wait_for(values)
            yield Seen(values, [one.get(READ) for one in samples], samples, inputs)

    def first_batches(self, count: int) -> list[list[int]]:
        """The rows of a few batches: first views of samples, repeated if too few."""
        size = len(self.loader.dataset)
        starts = range(0, count * self.batch, self.batch)
        return [[n % size for n in range(n, n + self.batch)] for n in starts]

    def trial(self) -> tuple[Seen, float]:
        """Run the teacher on a few batches, the first views of samples.

        Returns:
            Its values for one batch, and the seconds per batch.
        """
        seen = self.see(self.first_batches(TRIAL))
        first = next(seen)
        started = time.monotonic()
        count = sum(1 for _ in seen)
        return first, (time.monotonic() - started) / count


class Recorder:
    """Records the missing shards of a record, one by one.

    Shards are written atomically: a kill or a full disk leaves a record with fewer
    shards, which the same command continues.

    Args:
        stream: What to record.
        folder: The folder of the record.
        manifest: The manifest of the record.
        part: Number of the part, from 1, and count of the parts of the record.
        log: Called with messages on the progress.
    """

    def __init__(
        self,
        stream: TeacherStream,
        folder: Path,
        manifest: Manifest,
        part: tuple[int, int] = (1, 1),
        log: Any = print,
    ) -> None:
        self.stream, self.folder, self.manifest = stream, folder, manifest
        self.rows = Rows(folder, manifest)
        self.share = range(len(manifest.shards))[part[0] - 1 :: part[1]]
        self.log = log

    def missing(self) -> list[int]:
        """The shards of this part that are missing or, read in full, damaged."""
        rank, processes = get_dist_info()
        found: list[int] = []
        for shard in self.share[rank::processes]:
            fault = self.rows.fault(shard, whole=True)
            if fault:
                found.append(shard)
            if fault not in ('', 'missing'):
                self.log(f'{shard_name(shard)} is recorded again: {fault}.')
        return sorted(chain.from_iterable(all_gather_object(found)))

    def run(self, seconds: float) -> None:
        """Record what is missing.

        Args:
            seconds: How long a batch takes, to estimate the total time.

        Raises:
            RecordError: If the disk has no room, or a shard cannot be written.
        """
        missing, (rank, processes) = self.missing(), get_dist_info()
        needed = self._views(missing) * row_type(self.manifest.taps).itemsize
        own = missing[rank::processes]
        views = self._views(own)
        self.log(
            f'{len(self.share) - len(missing)} of {len(self.share)} shards are there. '
            f'{check_space(self.folder, needed)} A batch takes '
            f'{seconds * 1e3:.0f} ms: about '
            f'{duration(seconds * views / self.stream.batch)} to go.'
        )
        started, done = time.monotonic(), 0
        batches = {shard: self.batches(shard) for shard in own}
        seen = self.stream.see(list(chain.from_iterable(batches.values())))
        for shard, rows in batches.items():
            self.write(shard, islice(seen, len(rows)))
            done += len(self.manifest.shards[shard])
            left = (time.monotonic() - started) / done * (views - done)
            self.log(f'{done:,} of {views:,} views, {duration(left)} to go')
        barrier()

    def _views(self, shards: list[int]) -> int:
        return sum(len(self.manifest.shards[shard]) for shard in shards)

    def write(self, shard: int, seen: Iterable[Seen]) -> None:
        """Write one shard.

        Args:
            shard: Its number.
            seen: The teacher's values for its :meth:`batches`.

        Raises:
            RecordError: If it cannot be written.
        """
        rows, path = self._filled(shard, seen), self.folder / shard_name(shard)
        try:
            with whole_or_nothing(path) as partial, partial.open('wb') as file:
                np.save(file, rows, allow_pickle=False)
        except OSError as error:
            raise RecordError(
                f'{path} cannot be written: {error}. What was recorded before is '
                'intact: make room, and run the same command to continue.'
            ) from error

    def batches(self, shard: int) -> list[list[int]]:
        """The rows of a shard in batches, all of the same size.

        A network's output for an image may depend on the batch size in the last bits:
        so the last batch is filled up.
        """
        rows, size = list(self.manifest.shards[shard]), self.stream.batch
        batches = [rows[n : n + size] for n in range(0, len(rows), size)]
        batches[-1] += [rows[-1]] * (size - len(batches[-1]))
        return batches

    def _filled(self, shard: int, seen: Iterable[Seen]) -> np.ndarray:
        numbers, taps = self.manifest.shards[shard], self.manifest.taps
        rows = np.zeros(len(numbers), row_type(taps))
        for number, batch in enumerate(seen):
            span = slice(
                number * self.stream.batch, (number + 1) * self.stream.batch
            )
            place = rows[span]
            named = {tap_name(tap): value for tap, value in batch.values.items()}
            encoded = {tap.name: tap.encode(named[tap.name]) for tap in taps}
            cut = {
                name: {part: array[: len(place)] for part, array in parts.items()}
                for name, parts in encoded.items()
            }
            samples = batch.samples[: len(place)]
            fill(place, self.manifest, numbers[span], cut, samples)
        return rows
