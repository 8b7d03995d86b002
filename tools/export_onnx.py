"""Export a trained student to an ONNX file with the same outputs as PyTorch.

Example:
    mmkd export work_dirs/run/student.py work_dirs/run/student.pth student.onnx
"""

import argparse
from pathlib import Path

from mmengine.config import Config
from torch import Tensor

from mmkd.cli.command_line import positive
from mmkd.cli.console import ending_in_words
from mmkd.cli.deployment import (
    add_network_options,
    check_outputs,
    config_of,
    size_of,
)
from mmkd.cli.parser import command_parser
from mmkd.deploy.export import export
from mmkd.deploy.graph import OPSET
from mmkd.deploy.images import at_size, dataset_of, images_of, noise
from mmkd.deploy.needs import NEEDED, needed
from mmkd.deploy.network import Network, student_network

NOISE = 3
"""Number of noise images, used without validation images."""


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = command_parser(__doc__)
    add_network_options(parser)
    parser.add_argument('out', type=Path, help='file to write, e.g. student.onnx')
    parser.add_argument(
        '--no-resize',
        action='store_true',
        help='segmentation: keep logits at the size that the network predicts',
    )
    parser.add_argument(
        '--fixed', action='store_true', help='fix the height and width of images'
    )
    parser.add_argument(
        '--opset',
        type=positive,
        default=OPSET,
        help=f'operator set version ({OPSET}); earlier ones where possible',
    )
    parser.add_argument(
        '--images',
        type=positive,
        default=3,
        metavar='N',
        help='validation images to check it on, at least two (3)',
    )
    args = parser.parse_args()
    if args.images < 2:
        parser.error('--images must be at least 2: the check runs batches of 1 and 2.')
    return args


def images_for(
    cfg: Config, network: Network, args: argparse.Namespace
) -> list[Tensor]:
    """Validation images, or noise if they cannot be read; prints which.

    Raises:
        ValueError: If their size is to be that of the graph, and they cannot be read.
    """
    size = size_of(args, network)
    problem = 'there are no validation images'
    try:
        dataset = dataset_of(cfg)
        problem = 'validation images cannot be read'
        images = images_of(dataset, args.images, network)
        print(f'checked on {len(images)} of {len(dataset)} validation images')
    except (OSError, ValueError) as error:
        if args.fixed and not size:
            raise ValueError(f'--fixed needs --size, as {problem}: {error}') from error
        images = noise(NOISE, size or network.view.trace.image_size, network)
        print(f'checked on noise, as {problem}: {error}')
    return at_size(images, size or images[0].shape[2:])


def main() -> None:
    """Build the student, export it, and check the file."""
    args = parse_args()
    for name in NEEDED:
        needed(name)
    cfg = config_of(args)
    check_outputs(args, cfg, args.out)
    network = student_network(cfg, args.checkpoint, not args.no_resize)
    print(f'{network.kind}, {network.parameters_count:,} parameters')
    images = images_for(cfg, network, args)
    facts = export(network, cfg, images, args.out, args.fixed, args.opset, print)
    if facts['mean'] is None:
        print(
            'mean, std and channel_order are null: the validation pipeline changes the '
            'values of pixels itself'
        )
    height, width = images[0].shape[2:]
    sizes = 'any height and width'
    if args.fixed:
        sizes = f'{height} x {width}'
    elif network.divisor > 1:
        sizes = f'height and width that are multiples of {network.divisor}'
    print(
        f'{args.out}: {args.out.stat().st_size / 1e6:.2f} MB, opset {args.opset}, '
        f'any batch, {sizes}'
    )


if __name__ == '__main__':
    with ending_in_words(ImportError):
        main()
