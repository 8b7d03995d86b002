"""Record a teacher on the views of a training, to distil from it repeatedly.

Example:
    mmkd record deeplabv3_r18_cityscapes --method dhkd --out records/r101
"""

import argparse
import copy
from collections import defaultdict
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.runner import Runner
from torch.distributed.elastic.multiprocessing.errors import record

from mmkd.cli.console import console
from mmkd.cli.experiment import checked
from mmkd.cli.lasting import lasting
from mmkd.cli.recording import LOADERS, merged_config, parse_args
from mmkd.engine import end_with_launcher, join_processes, leave_processes
from mmkd.engine.hooks import CheckTeacherHook, PrepareMethodsHook
from mmkd.recording.accuracy import errors
from mmkd.recording.claim import claimed, settled
from mmkd.recording.describing import manifest_of
from mmkd.recording.plan import Wishes, described, stored_taps
from mmkd.recording.recorder import Recorder, TeacherStream
from mmkd.recording.refusals import refuse_unrepeatable
from mmkd.records.rows import row_type
from mmkd.records.stored import PRECISIONS


def without_hooks(cfg: Config) -> Config:
    """The config without hooks, as nothing is trained."""
    cfg = copy.deepcopy(cfg)
    cfg.default_hooks, cfg.custom_hooks = {}, []
    return cfg


def teacher_score(runner: Runner, args: argparse.Namespace) -> dict[str, Any] | None:
    """Match the teacher's classes, and evaluate it."""
    PrepareMethodsHook().before_run(runner)
    check = CheckTeacherHook()
    if not args.no_teacher_check:
        check.before_train(runner)
    return check.score


def print_errors(stream: TeacherStream, args: argparse.Namespace) -> None:
    """Print the errors of each loss and its gradient against the live teacher's."""
    found = defaultdict(list)
    for seen in stream.see(stream.first_batches(args.check)):
        for dtype in PRECISIONS:
            wishes = Wishes(dtype, args.reduce, args.live, limit=2**60)
            taps = stored_taps(seen.values, wishes)
            for error in errors(stream.distiller, seen, taps):
                found[error.method, dtype, row_type(taps).itemsize].append(error)
    print(f'Errors relative to the live teacher, largest of {args.check} batches')
    for (method, dtype, size), each in found.items():
        loss, gradient = (max(e[n] for e in each) for n in (2, 3))
        print(f'{method:12} {dtype:8} {size:>12,} bytes  loss {loss:.1e}  ', end='')
        print(f'gradient {gradient:.1e}')


def make_record(
    runner: Runner,
    stream: TeacherStream,
    args: argparse.Namespace,
    score: dict[str, Any] | None,
) -> None:
    """Log what will be stored, and store it."""
    folder, log = Path(args.out), runner.logger.info
    first, seconds = stream.trial()
    wishes = Wishes(args.dtype, args.reduce, args.live, args.limit)
    taps = stored_taps(first.values, wishes)
    log(described(taps, len(stream.loader.dataset), args.views))
    manifest: list[Any] = [None]
    if is_main_process():
        wanted, lines = manifest_of(runner, taps, stream.batch, score)
        manifest = [settled(folder, wanted, lines)]
    broadcast_object_list(manifest)
    Recorder(stream, folder, manifest[0], args.part, log).run(seconds)
    log(f'The record is in {folder}: train with --recorded {folder}.')


def make(cfg: Config, args: argparse.Namespace) -> None:
    """Plan, and record."""
    join_processes(cfg)
    with claimed(Path(args.out), args.part):
        runner = Runner.from_cfg(without_hooks(cfg))
        stream = TeacherStream(runner)
        refuse_unrepeatable(cfg, stream.loader, stream.distiller.data_preprocessor)
        score = teacher_score(runner, args)
        if args.check:
            print_errors(stream, args)
        else:
            make_record(runner, stream, args, score)


@record
def main() -> None:
    """Read the command line, and record."""
    with console():
        with lasting():
            args = parse_args(text=__doc__)
            cfg = checked(merged_config(args), LOADERS)
        if cfg.launcher == 'pytorch':
            end_with_launcher()
        make(cfg, args)
        leave_processes()


if __name__ == '__main__':
    main()
