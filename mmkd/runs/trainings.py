"""Several trainings, side by side or one after the other."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor, as_completed

from mmkd.runs.processes import end_all, ended_by_sigterm
from mmkd.runs.training import Training


def train_all(
    trainings: Sequence[Training],
    jobs: int,
    called: Mapping[str, str] | None = None,
    then: Callable[[Training], None] | None = None,
    may_diverge: bool = False,
) -> None:
    """Run the trainings that are not done, and print the progress.

    One that fails does not keep the others from running, unless none has succeeded
    before it: then no other begins. SIGTERM ends those that run, which can be resumed.

    Args:
        trainings: All of them.
        jobs: How many run at a time; if several do, each uses one thread.
        called: Names to print instead of the trainings' own.
        then: What to do with each training that has finished, one at a time.
        may_diverge: Whether one that diverges is settled: it is not run again, and
            keeps none from running.

    Raises:
        RuntimeError: If any has failed, at the end; the message has all errors.
    """
    missing = [each for each in trainings if not each.is_settled(may_diverge)]
    print(f'{len(missing)} of {len(trainings)} trainings to do', flush=True)
    # Not of the missing ones: how many threads there are changes a result's last bits.
    begin, threads = time.monotonic(), 1 if min(jobs, len(trainings)) > 1 else None
    failures: list[str] = []
    succeeded, hopeless = threading.Event(), threading.Event()

    def run(each: Training) -> None:
        if hopeless.is_set():
            raise CancelledError
        try:
            each.run(threads)
        except RuntimeError:
            if not succeeded.is_set() and not (may_diverge and each.has_diverged):
                hopeless.set()
            raise
        succeeded.set()

    with ended_by_sigterm(), ThreadPoolExecutor(jobs) as pool:
        running = {pool.submit(run, each): each for each in missing}
        try:
            for count, done in enumerate(as_completed(running), start=1):
                each = running[done]
                name = f'{(called or {}).get(each.name, each.name)}, seed {each.seed}'
                error = done.exception()
                if isinstance(error, CancelledError):
                    continue
                if error is not None:
                    print(f'failed: {name}', flush=True)
                    if not isinstance(error, RuntimeError):
                        raise error
                    if may_diverge and each.has_diverged:
                        print(error, flush=True)
                    else:
                        failures.append(str(error))
                    continue
                if then is not None:
                    then(each)
                left = (time.monotonic() - begin) / count * (len(missing) - count)
                rest = f'; about {in_hours(left / 60)} left' if left else ''
                print(f'done: {name}{rest}', flush=True)
        except BaseException:
            end_all()
            raise
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
    if failures:
        raise RuntimeError('\n'.join(failures))


def in_hours(minutes: float) -> str:
    """A duration for people: minutes up to an hour and a half, then hours."""
    if minutes < 90:
        return f'{max(1, round(minutes))} min'
    return f'{minutes / 60:.1f} h'
