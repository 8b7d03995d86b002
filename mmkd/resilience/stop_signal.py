"""The signal by which a cluster asks a training to end."""

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
