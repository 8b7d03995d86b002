"""Several processes: on a machine without CUDA, and how they end."""

import ctypes
import gc
import math
import signal
import sys
from datetime import timedelta
from typing import Any

from mmengine.config import Config
from mmengine.device import get_device
from mmengine.dist import barrier, is_distributed
from torch import distributed

ANY_DEVICE = 'mmkd.AnyDeviceDataParallel'
ON_CUDA = (
    'DataParallel',
    'DistributedDataParallel',
    'MMFullyShardedDataParallel',
    'MMSeparateDistributedDataParallel',
)
"""MMEngine's and PyTorch's wrappers that ask for CUDA devices, but the usual one."""


def join_processes(cfg: Config) -> None:
    """Let a config written for GPUs run in several processes on CPUs.

    MMEngine starts every group of processes on CUDA devices. Where there are
    none, this joins the processes over gloo, whatever backend the config
    names, with its ``env_cfg.dist_cfg.timeout``, and has the runner wrap the
    model in :class:`mmkd.engine.AnyDeviceDataParallel` in the place of MMEngine's
    data parallelism; a wrapper of another kind stays. On GPUs, and in a single
    process, it does nothing.

    Args:
        cfg: The config, with its ``launcher``; changed in place.

    Raises:
        ValueError: If the launcher, the strategy or the wrapper needs CUDA devices,
            or the timeout is not above 0.
        TypeError: If the timeout is not a number of seconds.
    """
    launcher = cfg.get('launcher', 'none')
    if launcher == 'none' or get_device() != 'cpu':
        return
    if launcher != 'pytorch':
        raise ValueError(
            f'launcher={launcher!r} needs CUDA devices, and none was found. On CPUs '
            "start the processes with tools/dist_train.sh (launcher='pytorch')."
        )
    strategy = cfg.get('strategy')
    if strategy is not None and strategy.get('type') != 'DDPStrategy':
        raise ValueError(
            f'strategy={strategy.get("type")!r} needs CUDA devices, and none was '
            "found. On CPUs use strategy=dict(type='DDPStrategy')."
        )
    settings = cfg.get('env_cfg', {}).get('dist_cfg') or {}
    timeout = _timeout(settings.get('timeout'))
    if strategy is not None:
        strategy['model_wrapper'] = _on_any_device(strategy.get('model_wrapper'))
    else:
        wrapper = _on_any_device(cfg.get('model_wrapper_cfg'))
        if wrapper['type'] == ANY_DEVICE:
            unused = cfg.get('find_unused_parameters', False)
            wrapper.setdefault('find_unused_parameters', unused)
        cfg.model_wrapper_cfg = wrapper
    distributed.init_process_group('gloo', timeout=timeout)


def end_with_launcher() -> None:
    """Let this process be killed when the one that started it is.

    A launcher that is killed cannot end what it has started: that would train on
    beside the run that takes its place. Linux alone tells a process so.
    """
    if sys.platform == 'linux':
        set_signal_of_parents_death = 1
        ctypes.CDLL(None).prctl(set_signal_of_parents_death, signal.SIGKILL)


def leave_processes() -> None:
    """End a run of several processes in all of them at once.

    A launcher ends what still runs once a process has failed. So none leaves
    before all are done: one that waits for nothing could take the process with
    it that still saves the student. The group is destroyed last, when nothing
    that communicates is left: gloo's threads abort a process that ends with them.
    """
    if is_distributed():
        barrier()
        gc.collect()
        distributed.destroy_process_group()


def _on_any_device(wrapper: dict[str, Any] | None) -> dict[str, Any]:
    """A wrapper's config, with mmkd's form of MMEngine's data parallelism."""
    wrapper = dict(wrapper or {})
    kind = str(wrapper.setdefault('type', 'MMDistributedDataParallel'))
    if kind.startswith(('mmengine.', 'torch.')):
        kind = kind.rpartition('.')[2]
    if kind in ON_CUDA:
        raise ValueError(
            f'model_wrapper_cfg: {kind} needs CUDA devices, and none was found. On '
            f'CPUs leave it out, or use {ANY_DEVICE}.'
        )
    if kind == 'MMDistributedDataParallel':
        wrapper['type'] = ANY_DEVICE
    return wrapper


def _timeout(seconds: Any) -> timedelta | None:
    """MMEngine's setting as PyTorch takes it; None is PyTorch's own."""
    if seconds is None:
        return None
    if not isinstance(seconds, (int, float)) or isinstance(seconds, bool):
        raise TypeError(
            f'env_cfg.dist_cfg.timeout must be a number of seconds, got {seconds!r}.'
        )
    if not 0 < seconds < math.inf:
        raise ValueError(
            'env_cfg.dist_cfg.timeout must be a finite number of seconds above 0, '
            f'got {seconds}.'
        )
    return timedelta(seconds=seconds)
