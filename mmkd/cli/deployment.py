"""Options shared by the commands that deploy a trained network."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config

from mmkd.cli.command_line import KeyValues, positive
from mmkd.config.changes import set_data_root
from mmkd.config.experiments import drop_parts, load_config
from mmkd.config.keys import check_options
from mmkd.deploy.network import Network


def add_network_options(parser: argparse.ArgumentParser) -> None:
    """Add the options for a trained network and its images.

    Args:
        parser: The command's parser.
    """
    parser.add_argument('config', help='config file of a distillation or a student')
    parser.add_argument('checkpoint', help='checkpoint of the student')
    parser.add_argument('--data-root', metavar='DIR', help='folder of the data set')
    parser.add_argument(
        '--size',
        nargs=2,
        type=positive,
        metavar=('HEIGHT', 'WIDTH'),
        help='image size (that of the sliding window or the first validation image)',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=KeyValues,
        metavar='KEY=VALUE',
        help='override config keys, e.g. val_dataloader.dataset.data_root=DIR',
    )


def size_of(args: argparse.Namespace, network: Network) -> Sequence[int] | None:
    """The image size given on the command line, or that of a sliding window.

    Args:
        args: The parsed options of :func:`add_network_options`.
        network: The student.

    Returns:
        Height and width; None for that of the images.
    """
    if args.size or network.window is None:
        given: Sequence[int] | None = args.size
        return given
    height, width = network.window
    print(f'images are {height} x {width}, the sliding window of test_cfg.crop_size')
    return network.window


def check_outputs(
    args: argparse.Namespace, cfg: Config, file: Path | None, folder: Path | None = None
) -> None:
    """Refuse, before any work, to write where that fails or destroys what is read.

    Args:
        args: The parsed options of :func:`add_network_options`.
        cfg: The config that they name.
        file: A file to write; None for none.
        folder: A folder to write to; None for none.

    Raises:
        OSError: If the file is a folder, or the folder or a parent is a file.
        ValueError: If the file is the config or a checkpoint.
    """
    if file and file.is_dir():
        raise IsADirectoryError(f'{file} is a folder: name a file to write.')
    for place in filter(None, (file and file.absolute().parent, folder)):
        there = next(each for each in (place, *place.parents) if each.exists())
        if not there.is_dir():
            raise NotADirectoryError(f'{there} is a file, not a folder to write to.')
    teacher = ((cfg.get('model') or {}).get('teacher') or {}).get('checkpoint')
    given = (cfg.filename, args.checkpoint, getattr(args, 'teacher', None), teacher)
    for read in (Path(name).expanduser() for name in given if name):
        if file and file.exists() and read.exists() and file.samefile(read):
            raise ValueError(f'{file} would replace {read}: name another file.')


def config_of(args: argparse.Namespace) -> Config:
    """Read the config given on the command line, with its overrides.

    Args:
        args: The parsed options of :func:`add_network_options`.
    """
    cfg = load_config(args.config)
    check_options(cfg, args.cfg_options or {})
    drop_parts(cfg)
    if args.data_root:
        set_data_root(cfg, args.data_root)
    if args.cfg_options:
        cfg.merge_from_dict(args.cfg_options)
    return cfg
