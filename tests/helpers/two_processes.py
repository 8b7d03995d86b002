"""Two processes, forked from a test, that meet over gloo."""

import multiprocessing
import os
import time
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from torch import distributed

PATIENCE = 120


def in_two_processes(work: Callable[[int], Any], folder: Path) -> list[Any]:
    """What ``work(rank)`` returns in each of them; an exception is raised here too."""
    fork = multiprocessing.get_context('fork')
    pipes = [fork.Pipe(duplex=False) for _ in range(2)]
    processes = [
        fork.Process(target=_process, args=(work, rank, folder, pipes[rank][1]))
        for rank in range(2)
    ]
    for process in processes:
        process.start()
    try:
        assert all(receiver.poll(PATIENCE) for receiver, _ in pipes), 'it takes long'
        results = [receiver.recv() for receiver, _ in pipes]
    finally:
        for process in processes:
            process.kill()
            process.join()
    for result in results:
        if isinstance(result, Exception):
            raise result
    return results


def _process(
    work: Callable[[int], Any], rank: int, folder: Path, answer: Connection
) -> None:
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE='2')
    meeting = f'file://{folder / "meeting"}'
    distributed.init_process_group('gloo', meeting, rank=rank, world_size=2)
    try:
        result = work(rank)
    except Exception as error:
        traceback.print_exc()
        result = error
    answer.send(result)
    # Until both have answered and are killed.
    time.sleep(2 * PATIENCE)
