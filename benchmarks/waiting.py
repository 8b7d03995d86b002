"""The row of waiting: how long a step waits for data."""

import os

from benchmarks.commands import TRAIN, run
from benchmarks.pairs import write_cifar
from benchmarks.table import Row, row
from benchmarks.training import Workshop
from mmkd.runs import read_run

CORES = 2


def waiting(workshop: Workshop, steps: int = 50, interval: int = 10) -> Row:
    """Train with KD and the config's own loader, and read the log.

    It is wall-clock time, on as many threads as a user with two cores has. The first
    interval, in which the workers start, does not count.

    Args:
        workshop: Has the teacher of a pair with CIFAR-100's data.
        steps: How many steps the training has.
        interval: How many steps each line of the log averages.
    """
    data, work = workshop.folder / 'more_data', workshop.folder / 'waiting'
    write_cifar(workshop.pair, data, batches=steps)
    command = [TRAIN, workshop.pair.name, '--method', 'kd', '--no-teacher-check']
    command += ['--data-root', str(data), '--teacher', str(workshop.teacher)]
    command += ['--work-dir', str(work), '--cfg-options', 'train_cfg.max_epochs=1']
    command += [f'train_dataloader.batch_size={workshop.pair.batch}']
    command += [f'default_hooks.logger.interval={interval}']
    run(command, threads=min(CORES, os.cpu_count() or 1))
    logged = read_run(work).scalars.train
    waits, times = logged['data_time'], logged['time']
    shares = [100 * wait / times[step] for step, wait in waits.items()]
    return row(
        'time that a step waits for data', workshop.pair.title, shares[1:], 2, '%'
    )
