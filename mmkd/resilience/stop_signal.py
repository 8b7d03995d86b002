"""The signal by which a cluster asks a training to end."""

import signal
import threading
from types import FrameType
from typing import Any

import torch
from mmengine.dist import all_reduce

STOPPED = 'Stopped by SIGTERM'
"""The beginning of what a training logs that was ended by the signal."""


class StopSignal:
    """Remembers SIGTERM, so that a training can end where nothing is lost.

    As a context manager it replaces the process's handler, and restores it at
    the end. Repeated signals change nothing: launchers forward signals that the
    processes of a job have already received. Outside the main thread, where
    Python cannot set handlers, it never sees a signal.
    """

    def __init__(self) -> None:
        self._came = False
        self._former: Any = None

    def __enter__(self) -> 'StopSignal':
        """Set the handler."""
        if threading.current_thread() is threading.main_thread():
            self._former = signal.signal(signal.SIGTERM, self._remember)
        return self

    def __exit__(self, *_: object) -> None:
        """Restore the previous handler."""
        if self._former is not None:
            signal.signal(signal.SIGTERM, self._former)
            self._former = None

    def _remember(self, number: int, frame: FrameType | None) -> None:
        self._came = True

    def agreed(self) -> bool:
        """Whether any process got the signal; all must call it at the same point."""
        came = torch.tensor(int(self._came))
        all_reduce(came, 'max')
        return bool(came)
