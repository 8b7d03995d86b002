"""Why a run of several processes ended, in a sentence."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from mmengine.dist import get_rank, get_world_size
from torch import distributed
from torch.distributed.distributed_c10d import _get_default_store

PATIENCE = 5.0
"""Seconds that the other processes have to say why they end."""

LOST = 'lost the others'
"""What a process says that ends because another did."""

GO_ON = 'Its own log says more; --resume goes on from the last checkpoint.'


@contextmanager
def name_lost_process() -> Iterator[None]:
    """Say which process ended a run, where others end because of it.

    A process that fails leaves its error in the store through which the
    processes met. One whose communication fails, at once where the connection
    breaks or after ``env_cfg.dist_cfg.timeout``, reads there what became of
    the others; one that left nothing was killed or hangs.

    With NCCL PyTorch's watchdog ends a waiting process by itself after the
    timeout, with a message of its own.

    Raises:
        RuntimeError: In place of a communication error; names the process that
            ended the run.
    """
    try:
        yield
    except BaseException as error:
        if get_world_size() == 1:
            raise
        if not _is_about_communication(error):
            _leave_word(f'{type(error).__name__}: {error}')
            raise
        raise RuntimeError(_cause()) from error


def _is_about_communication(error: BaseException) -> bool:
    # Gloo's errors are plain RuntimeErrors that begin with the source file.
    return isinstance(error, distributed.DistError) or '/gloo/' in str(error)


def _words() -> distributed.Store:
    return distributed.PrefixStore('mmkd/ended', _get_default_store())


def _leave_word(word: str) -> None:
    # Where the store's machine is gone, the error itself matters more.
    with suppress(distributed.DistError):
        _words().set(str(get_rank()), word)


def _read_words() -> dict[int, str]:
    """What the other processes said, once all did or patience ends."""
    store = _words()
    others = [rank for rank in range(get_world_size()) if rank != get_rank()]
    deadline = time.monotonic() + PATIENCE
    while True:
        said = [rank for rank in others if store.check([str(rank)])]
        if said == others or time.monotonic() > deadline:
            return {rank: store.get(str(rank)).decode() for rank in said}
        time.sleep(0.1)


def _cause() -> str:
    _leave_word(LOST)
    world = get_world_size()
    try:
        words = _read_words()
    except distributed.DistError:
        return (
            'the machine of process 0, through which the processes meet, does not '
            f'answer. {GO_ON}'
        )
    for rank, word in words.items():
        if word != LOST:
            return f'process {rank} of {world} ended the run with {word}\n{GO_ON}'
    silent = [str(r) for r in range(world) if r not in words and r != get_rank()]
    if not silent:
        return f'the connections between the {world} processes broke. {GO_ON}'
    return (
        f'process {" or ".join(silent)} of {world} does not answer: it was killed, '
        'lost its machine, or kept the others waiting for longer than '
        f'env_cfg.dist_cfg.timeout. {GO_ON}'
    )
