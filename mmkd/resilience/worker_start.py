"""Start and end of a data loader's workers."""

import os
import signal
import threading
from typing import Any


class WorkerStart:
    """What a data loader's worker does first.

    It ends on a SIGTERM from its training, not on one from a cluster, which
    signals every process of a job: otherwise the training could not finish the
    current iteration.

    Args:
        then: The loader's own ``worker_init_fn``, called with the number, or None.
    """

    def __init__(self, then: Any = None) -> None:
        self.then = then
        self.training = os.getpid()

    def __call__(self, worker: int) -> None:
        """Start worker number ``worker``."""
        # Only Linux tells who has sent a signal.
        if hasattr(signal, 'sigwaitinfo'):
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
            threading.Thread(target=self._wait_for_the_end, daemon=True).start()
        if self.then is not None:
            self.then(worker)

    def _wait_for_the_end(self) -> None:
        while signal.sigwaitinfo({signal.SIGTERM}).si_pid != self.training:
            pass
        os._exit(0)
