"""torchrun with one-line messages for the usual errors at start and end."""

import socket
import sys
from argparse import Namespace
from pathlib import Path

from torch.distributed import run
from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import (
    ChildFailedError,
    ProcessFailure,
)


def main() -> None:
    """Run torchrun's command line.

    A signal ends it without a traceback, as its processes report the reason.
    """
    ChildFailedError.get_first_failure = first_failure  # type: ignore[assignment, method-assign]
    try:
        check(run.parse_args(sys.argv[1:]))
        run.main()
    except ValueError as error:
        sys.exit(f'torchrun: {error}')
    except SignalException as signal:
        sys.exit(128 + signal.sigval)
    except KeyboardInterrupt:
        sys.exit(130)


def first_failure(error: ChildFailedError) -> tuple[int, ProcessFailure]:
    """The failure that caused the others, and its rank.

    PyTorch records failures in whole seconds and picks the lowest rank within a second
    (``ChildFailedError.get_first_failure`` in 2.13): if rank 1 fails, rank 0 loses its
    connection in the same second and is blamed. The times of the processes' error files
    tell which was first; a process killed by a signal has no such file and counts as
    first, because the others lost their connection to it.
    """

    def when(rank: int) -> tuple[int, int]:
        failure = error.failures[rank]
        file = Path(failure.error_file)
        written = file.stat().st_mtime_ns if file.is_file() else 0
        return failure.timestamp, written

    rank = min(error.failures, key=when)
    return rank, error.failures[rank]


def check(args: Namespace) -> None:
    """Check whether the processes can be started and can connect.

    Args:
        args: torchrun's arguments.

    Raises:
        ValueError: If they cannot; the message says what to change.
    """
    count = args.nproc_per_node
    if count not in ('auto', 'cpu', 'gpu', 'xpu') and not (
        count.isdecimal() and int(count)
    ):
        raise ValueError(
            f'the number of processes must be an integer >= 1, got {count!r}.'
        )
    if args.standalone or args.node_rank or args.rdzv_backend != 'static':
        return
    port = args.master_port or 29500
    if not 0 < port < 65536:
        raise ValueError(f'MASTER_PORT must be from 1 to 65535, got {port}.')
    if not _is_free(port):
        raise ValueError(
            f'port {port} is taken, perhaps by another training on this machine: set '
            f'MASTER_PORT to a free one, as in MASTER_PORT={_free_port()} bash '
            'tools/dist_train.sh ...'
        )


def _is_free(port: int) -> bool:
    with socket.socket() as listener:
        # As torchrun's store does: a recently released port counts as free.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(('', port))
        except OSError:
            return False
    return True


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(('', 0))
        port: int = listener.getsockname()[1]
    return port


if __name__ == '__main__':
    main()
