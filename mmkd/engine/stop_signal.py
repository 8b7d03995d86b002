"""The signal by which a cluster asks a training to end."""

import os
import signal
import threading
from types import FrameType
from typing import Any

import torch
from mmengine.dist import all_reduce


class StopSignal:
    """Remembers SIGTERM, so that a training can end where nothing is lost.

    As a context manager it takes the place of the process's handler, and gives
    it back at the end. A signal that comes again changes nothing: launchers
    pass on what the processes of a job have got already. Outside the main
    thread, where Python sets no handlers, none ever comes.
    """

    def __init__(self) -> None:
        self._came = False
        self._former: Any = None

    def __enter__(self) -> 'StopSignal':
        """Take SIGTERM over."""
        if threading.current_thread() is threading.main_thread():
            self._former = signal.signal(signal.SIGTERM, self._remember)
        return self

    def __exit__(self, *_: object) -> None:
        """Give SIGTERM back."""
        if self._former is not None:
            signal.signal(signal.SIGTERM, self._former)
            self._former = None

    def _remember(self, number: int, frame: FrameType | None) -> None:
        self._came = True

    def agreed(self) -> bool:
        """Whether any process got the signal; all must ask at the same point."""
        came = torch.tensor(int(self._came))
        all_reduce(came, 'max')
        return bool(came)


class WorkerStart:
    """What a data loader's worker does first.

    It ends by SIGTERM when its training sends it, not when a cluster does,
    which sends it to every process of a job: the training could not finish the
    iteration at hand.

    Args:
        then: What the worker was to do, called with its number, or None.
    """

    def __init__(self, then: Any = None) -> None:
        self.then = then
        self.training = os.getpid()

    def __call__(self, worker: int) -> None:
        """Start worker number ``worker``."""
        # Linux alone tells who has sent a signal.
        if hasattr(signal, 'sigwaitinfo'):
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
            threading.Thread(target=self._wait_for_the_end, daemon=True).start()
        if self.then is not None:
            self.then(worker)

    def _wait_for_the_end(self) -> None:
        while signal.sigwaitinfo({signal.SIGTERM}).si_pid != self.training:
            pass
        os._exit(0)
