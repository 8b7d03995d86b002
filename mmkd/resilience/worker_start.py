"""How a worker of a data loader begins, and when it ends."""

import os
import signal
import threading
from typing import Any


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
