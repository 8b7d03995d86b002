"""Convert a CIFAR checkpoint in the CRD format to one for mmkd and MMPretrain.

Example:
    mmkd convert crd SRC DST --arch resnet32x4

CRD / RepDistiller, mdistiller and DHKD save a dict whose ``model`` entry is the
state dict; bare state dicts, ``state_dict`` entries and ``module.`` prefixes
are supported too. DST loads into ``configs/_base_/models/ARCH_cifar.py`` without
missing or unexpected keys. The auxiliary head of a DHKD student is left out.
The source is read with ``weights_only=True``, so no code in it is run.
"""

import argparse
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from torch import Tensor
from torch.serialization import safe_globals

from mmkd.checkpoints.loading import safe_load
from mmkd.cli.parser import command_parser
from mmkd.models import build_model
from mmkd.setup import setup

CONFIGS = Path(__file__).parents[2] / 'configs/_base_/models'
HEAD = re.compile(r'(?:fc|linear|classifier(?:\.0)?)\.(weight|bias)')
AUXILIARY_HEAD = re.compile(r'(?:fc2|linear2|classifier2)\.')

Rule = tuple[str, str | Callable[[re.Match[str]], str]]
"""Prefix of a name in the published model, and its replacement in the backbone."""

RESNET50: list[Rule] = [(r'(layer\d\.\d+)\.shortcut\.', r'\1.downsample.')]
WRN: list[Rule] = [
    (r'conv1\.', 'stem.'),
    (r'block(\d)\.layer\.(\d+)\.convShortcut\.', r'layer\1.\2.shortcut.'),
    (r'block(\d)\.layer\.', r'layer\1.'),
    (r'bn1\.', 'tail.0.'),
]
# Three stages start with a pooling layer here, which shifts their modules by 1.
VGG: list[Rule] = [
    (r'block([04])\.', lambda m: f'layer{int(m[1]) + 1}.'),
    (r'block([123])\.(\d+)\.', lambda m: f'layer{int(m[1]) + 1}.{int(m[2]) + 1}.'),
]
# The layer for each published group of blocks, and the index of its first block.
MOBILENET_GROUPS = ((1, 0), (1, 1), (2, 0), (3, 0), (3, 4), (4, 0), (4, 3))


def _place_in_layer(match: re.Match[str]) -> str:
    layer, first = MOBILENET_GROUPS[int(match[1])]
    return f'layer{layer}.{first + int(match[2])}.'


MOBILENETV2: list[Rule] = [
    (r'conv1\.', 'stem.'),
    (r'conv2\.', 'tail.'),
    (r'blocks\.([0-6])\.(\d+)\.', _place_in_layer),
]
STEM: list[Rule] = [(r'conv1\.', 'stem.0.'), (r'bn1\.', 'stem.1.')]
# Indices of the three convolutions in the branch, each before its BatchNorm.
SHUFFLENETV1: list[Rule] = [
    *STEM,
    (
        r'(layer\d\.\d+)\.(conv|bn)([123])\.',
        lambda m: f'{m[1]}.branch.{(0, 4, 7)[int(m[3]) - 1] + (m[2] == "bn")}.',
    ),
]
SHUFFLENETV2: list[Rule] = [
    *STEM,
    (r'conv2\.', 'tail.0.'),
    (r'bn2\.', 'tail.1.'),
    (
        r'(layer\d)\.0\.(conv|bn)([12])\.',
        lambda m: f'{m[1]}.0.branch1.{int(m[3]) - 1}.{m[2]}.',
    ),
    (
        r'(layer\d)\.0\.(conv|bn)([345])\.',
        lambda m: f'{m[1]}.0.branch2.{int(m[3]) - 3}.{m[2]}.',
    ),
    (
        r'(layer\d\.\d+)\.(conv|bn)([123])\.',
        lambda m: f'{m[1]}.branch2.{int(m[3]) - 1}.{m[2]}.',
    ),
]
FAMILIES: list[tuple[str, list[Rule]]] = [
    ('resnet8 resnet14 resnet20 resnet32 resnet44 resnet56 resnet110', []),
    ('resnet8x4 resnet32x4', []),
    ('wrn16-1 wrn16-2 wrn40-1 wrn40-2', WRN),
    ('vgg8 vgg11 vgg13 vgg16 vgg19', VGG),
    ('resnet50', RESNET50),
    ('mobilenetv2', MOBILENETV2),
    ('shufflenetv1', SHUFFLENETV1),
    ('shufflenetv2', SHUFFLENETV2),
]
RULES = {arch: rules for archs, rules in FAMILIES for arch in archs.split()}


def read_state(path: Path) -> dict[str, Tensor]:
    """Read the state dict of a published checkpoint.

    Raises:
        ValueError: If the file is damaged, unsafe, or holds no state dict.
        OSError: If it cannot be opened.
    """
    # The last checkpoint of a training also contains its command-line arguments.
    with safe_globals([argparse.Namespace]):
        content = safe_load(path)
    if isinstance(content, Mapping):
        content = content.get('model', content.get('state_dict', content))
    if not isinstance(content, Mapping) or not all(
        isinstance(value, Tensor) for value in content.values()
    ):
        raise ValueError(
            f"{path} holds no state dict: neither a 'model' or 'state_dict' entry "
            'nor the file itself is a dict of tensors'
        )
    return {key.removeprefix('module.'): value for key, value in content.items()}


def translate(key: str, rules: Sequence[Rule]) -> str:
    """Translate a published parameter's name to MMPretrain's ``ImageClassifier``."""
    head = HEAD.fullmatch(key)
    if head:
        return f'head.fc.{head[1]}'
    for pattern, replacement in rules:
        name, count = re.subn(f'^{pattern}', replacement, key)
        if count:
            return f'backbone.{name}'
    return f'backbone.{key}'


def convert(source: Mapping[str, Tensor], arch: str) -> dict[str, Tensor]:
    """Rename a published state dict and check it against the model here.

    Args:
        source: The published state dict.
        arch: One of ``RULES``. The number of classes is the checkpoint's.

    Returns:
        The state dict of ``configs/_base_/models/ARCH_cifar.py``, in its order.

    Raises:
        ValueError: If a key is missing or unexpected, or has another shape; the
            message names the first few.
    """
    names = {
        translate(key, RULES[arch]): key
        for key in source
        if not AUXILIARY_HEAD.match(key)
    }
    bias = source[names['head.fc.bias']] if 'head.fc.bias' in names else None
    target = target_state(arch, None if bias is None else len(bias))
    # BatchNorm did not count batches before PyTorch 0.4.1.
    counts = {key for key in target if key.endswith('num_batches_tracked')}
    problems = {
        'missing': [key for key in target if key not in names and key not in counts],
        'unexpected': [key for name, key in names.items() if name not in target],
        'of another shape': [
            f'{key} {tuple(source[key].shape)} for {tuple(target[name].shape)}'
            for name, key in names.items()
            if name in target and source[key].shape != target[name].shape
        ],
    }
    found = [
        f'{len(keys)} {kind} ({", ".join(keys[:5])}{", ..." * (len(keys) > 5)})'
        for kind, keys in problems.items()
        if keys
    ]
    if found:
        raise ValueError(f'the checkpoint does not fit {arch}: {"; ".join(found)}')
    return {
        name: source[names[name]] if name in names else torch.zeros_like(value)
        for name, value in target.items()
    }


def target_state(arch: str, num_classes: int | None) -> dict[str, Tensor]:
    """The state dict of the model here, for its names and shapes."""
    config: dict[str, Any] = Config.fromfile(CONFIGS / f'{arch}_cifar.py').model
    config['_scope_'] = 'mmpretrain'
    return build_model(config, num_classes).state_dict()


def main(argv: Sequence[str] | None = None) -> None:
    """Read the command line, convert and write."""
    setup()
    parser = command_parser(__doc__)
    parser.add_argument('src', type=Path, metavar='SRC', help='published checkpoint')
    parser.add_argument('dst', type=Path, metavar='DST', help='file to write')
    parser.add_argument(
        '--arch', required=True, choices=RULES, metavar='ARCH', help=', '.join(RULES)
    )
    args = parser.parse_args(argv)
    try:
        source = read_state(args.src)
        state = convert(source, args.arch)
        args.dst.parent.mkdir(parents=True, exist_ok=True)
        meta = {'arch': args.arch, 'source': args.src.name}
        torch.save({'meta': meta, 'state_dict': state}, args.dst)
    except (OSError, ValueError) as error:
        raise SystemExit(f'{parser.prog}: {args.src}: {error}') from None
    left_out = [key for key in source if AUXILIARY_HEAD.match(key)]
    if left_out:
        print(f'Left out the auxiliary head: {", ".join(left_out)}')
    classes = len(state['head.fc.bias'])
    print(f'{args.dst}: {args.arch}, {classes} classes, {len(state)} tensors')


if __name__ == '__main__':
    main()
