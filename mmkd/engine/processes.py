"""Start of several processes without CUDA, and the end of all of them."""

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
"""Wrappers of MMEngine and PyTorch that need CUDA devices, except the default one."""


def join_processes(cfg: Config) -> None:
    """Make a config written for GPUs run in several processes on CPUs.

    MMEngine starts every process group on CUDA devices. If there are none, this
    joins the processes over gloo, whatever backend the config names, with its
    ``env_cfg.dist_cfg.timeout``. The runner then wraps the model in
    :class:`mmkd.engine.AnyDeviceDataParallel` instead of MMEngine's data
    parallelism; wrappers of other types stay. On GPUs, and in a single process,
    it does nothing.

    Args:
        cfg: The config, with its ``launcher``; changed in place.

    Raises:
        ValueError: If the launcher, the strategy or the wrapper needs CUDA devices,
            or the timeout is not positive.
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
    """Have this process killed when its parent process dies.

    A killed launcher cannot end its child processes: they would keep training
    beside the run that replaces it. Only Linux supports this.
    """
    if sys.platform == 'linux':
        set_signal_of_parents_death = 1
        ctypes.CDLL(None).prctl(set_signal_of_parents_death, signal.SIGKILL)


def leave_processes() -> None:
    """End a multi-process run in all processes at once.

    Once a process has failed, a launcher kills the others. So none exits before
    all are done: one that exits early could take down the process that still
    saves the student. The group is destroyed last, when nothing communicates any
    more: gloo's threads abort a process that exits while they run.
    """
    if is_distributed():
        barrier()
        gc.collect()
        distributed.destroy_process_group()


def _on_any_device(wrapper: dict[str, Any] | None) -> dict[str, Any]:
    """A wrapper's config, with MMEngine's data parallelism replaced by mmkd's."""
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
    """MMEngine's setting in PyTorch's type; None for PyTorch's default."""
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
