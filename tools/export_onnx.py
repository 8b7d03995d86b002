"""Write a trained student as an ONNX file that computes what PyTorch does.

Example:
    mmkd export work_dirs/run/student.py work_dirs/run/student.pth student.onnx
"""

import argparse
from pathlib import Path

from mmengine.config import Config
from torch import Tensor

from mmkd.cli.command_line import positive
from mmkd.cli.console import ending_in_words
from mmkd.cli.deployment import add_network_options, config_of
from mmkd.cli.parser import command_parser
from mmkd.deploy.export import export
from mmkd.deploy.graph import OPSET
from mmkd.deploy.images import at_size, dataset_of, images_of, noise
from mmkd.deploy.needs import NEEDED, needed
from mmkd.deploy.network import Network, student_network

NOISE = 3
"""Images of noise, where there are no others."""


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = command_parser(__doc__)
    add_network_options(parser)
    parser.add_argument('out', type=Path, help='file to write, as student.onnx')
    parser.add_argument(
        '--no-resize',
        action='store_true',
        help="pixels: logits at the network's own size, not that of the images",
    )
    parser.add_argument(
        '--fixed', action='store_true', help='for images of one height and width'
    )
    parser.add_argument(
        '--opset', type=positive, default=OPSET, help=f'version of operators ({OPSET})'
    )
    parser.add_argument(
        '--images',
        type=positive,
        default=3,
        metavar='N',
        help='validation images to check it on, two at least (3)',
    )
    args = parser.parse_args()
    if args.images < 2:
        parser.error('--images must be 2 at least: batches of one and of two are run.')
    return args


def images_for(
    cfg: Config, network: Network, count: int, size: list[int] | None
) -> list[Tensor]:
    """Validation images, or noise where there are none, with a word on which."""
    try:
        dataset = dataset_of(cfg)
        images = images_of(dataset, count, network)
        print(f'checked on {len(images)} of {len(dataset)} validation images')
    except (OSError, ValueError) as error:
        images = noise(NOISE, size or network.view.trace.image_size, network)
        print(f'checked on noise, no validation images: {error}')
    return at_size(images, size or images[0].shape[2:])


def main() -> None:
    """Build the student, write it, and check what was written."""
    args = parse_args()
    for name in NEEDED:
        needed(name)
    cfg = config_of(args)
    network = student_network(cfg, args.checkpoint, not args.no_resize)
    print(f'{network.kind}, {network.parameters_count:,} parameters')
    images = images_for(cfg, network, args.images, args.size)
    export(network, cfg, images, args.out, args.fixed, args.opset, print)
    height, width = images[0].shape[2:]
    sizes = f'{height} x {width}' if args.fixed else 'any height and width'
    print(
        f'{args.out}: {args.out.stat().st_size / 1e6:.2f} MB, opset {args.opset}, '
        f'any batch, {sizes}'
    )


if __name__ == '__main__':
    with ending_in_words(ImportError):
        main()
