"""Options and behaviour shared by the commands."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from mmengine.config import Config, DictAction
from mmengine.dist import is_distributed, is_main_process, sync_random_seed
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

from mmkd.checks import warn_of_idle_keys
from mmkd.cli.lasting import uncollected
from mmkd.cli.progress import progress_bar
from mmkd.config.changes import set_data_root
from mmkd.config.experiments import TOGETHER
from mmkd.config.keys import check_options
from mmkd.config.total_batch import compare_total_batch
from mmkd.engine import end_with_launcher, join_processes, leave_processes
from mmkd.resilience.randomness import keep_seed
from mmkd.resilience.resume import LAST


class KeyValues(DictAction):
    """MMEngine's ``KEY=VALUE`` options, with an error message for malformed ones."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Add the options to the namespace."""
        for value in values:
            key, sign, _ = value.partition('=')
            if not sign or not all(key.split('.')):
                parser.error(
                    f'{option_string} takes {self.metavar}, without spaces around '
                    f'the =, got {value!r}.'
                )
        try:
            super().__call__(parser, namespace, values, option_string)
        except (AssertionError, RecursionError) as error:
            # MMEngine's parser recurses without end on some malformed values.
            reason = error if isinstance(error, AssertionError) else values
            parser.error(
                f'{option_string}: {reason}. A value is a number, a word or a list of '
                'them; to change an entry of a dict, use its dotted key.'
            )


class KeyValueWords(KeyValues):
    """The same options checked and kept as they are written, for other commands."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Add the words to those given before."""
        super().__call__(parser, argparse.Namespace(), values, option_string)
        before = getattr(namespace, self.dest, None) or []
        setattr(namespace, self.dest, [*before, *values])


def positive(text: str) -> int:
    """Parse an integer of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f'must be an integer >= 1, got {text!r}')
    return int(text)


def seed(text: str) -> int:
    """Parse an integer of at least 0."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f'must be an integer >= 0, got {text!r}')
    return int(text)


def parse_with_common_options(
    parser: argparse.ArgumentParser, example: str, given: Sequence[str] | None = None
) -> argparse.Namespace:
    """Parse the command line, with the options that all commands share.

    Args:
        parser: The parser with the command's own options.
        example: A useful override for the command, as ``key=value``.
        given: The command line; that of this program if None.
    """
    parser.add_argument('--data-root', metavar='DIR', help='folder of the data set')
    parser.add_argument(
        '--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none'
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=KeyValues,
        metavar='KEY=VALUE',
        help=f'override config keys, e.g. {example}',
    )
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    args = parser.parse_args(given)
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def take_common_options(cfg: Config, args: argparse.Namespace) -> None:
    """Set launcher and data root, and check the overrides, which are merged last."""
    check_options(cfg, args.cfg_options or {})
    cfg.launcher = args.launcher
    if args.data_root:
        set_data_root(cfg, args.data_root)


def set_work_dir(cfg: Config, args: argparse.Namespace) -> None:
    """Set the work directory: from the option, the config, or the config's name.

    Methods given on the command line become part of the name.
    """
    if args.work_dir:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        methods = TOGETHER.join(getattr(args, 'method', None) or [])
        parts = [Path(args.config).stem, methods]
        cfg.work_dir = str(Path('work_dirs', '_'.join(filter(None, parts))))


def launch(cfg: Config, task: Literal['train', 'test']) -> None:
    """Run a config in this process, which may be one of several.

    Ctrl-C ends it with one line, which says how to resume the training, and the
    exit code 130.

    Raises:
        RuntimeError: If a data loader worker has been killed.
    """
    if cfg.get('launcher') == 'pytorch':
        end_with_launcher()
    try:
        join_processes(cfg)
        alone = cfg.get('launcher', 'none') == 'none'
        if task == 'train' and not cfg.get('resume') and (alone or is_distributed()):
            keep_seed(cfg, sync_random_seed)
        with uncollected():
            build = RUNNERS.build if 'runner_type' in cfg else Runner.from_cfg
            runner = build(cfg)
        if task == 'train':
            compare_total_batch(runner, cfg)
            warn_of_idle_keys(cfg, runner.model)
        with progress_bar(runner):
            getattr(runner, task)()
        del runner
        leave_processes()
    except KeyboardInterrupt:
        if is_main_process():
            print(f'Interrupted. {_how_to_go_on(cfg, task)}', file=sys.stderr)
        raise SystemExit(130) from None
    except RuntimeError as error:
        if not str(error).startswith('DataLoader worker'):
            raise
        raise RuntimeError(f'{error} {_how_to_go_on(cfg, task)}') from None


def _how_to_go_on(cfg: Config, task: str) -> str:
    if task == 'test':
        return 'Run the same command to test again.'
    last = Path(cfg.work_dir, LAST)
    if not last.exists():
        return 'There is no checkpoint yet: run the same command to restart.'
    return f'Run the same command with --resume to go on from {last.read_text()}.'
