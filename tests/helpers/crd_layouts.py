"""The published CIFAR state dicts: names and shapes, and weights by formula."""

import math
import zlib
from collections.abc import Iterator

import numpy as np
import torch

Layout = Iterator[tuple[str, tuple[int, ...]]]

VGG_CONVS = {
    'vgg8': (1, 1, 1, 1, 1),
    'vgg11': (1, 1, 2, 2, 2),
    'vgg13': (2, 2, 2, 2, 2),
    'vgg16': (2, 2, 3, 3, 3),
    'vgg19': (2, 2, 4, 4, 4),
}
MOBILENET_GROUPS = (
    (1, 8, 1),
    (6, 12, 2),
    (6, 16, 3),
    (6, 32, 4),
    (6, 48, 3),
    (6, 80, 3),
    (6, 160, 1),
)


def conv_bn(conv: str, norm: str, out: int, width: int, kernel: int) -> Layout:
    yield f'{conv}.weight', (out, width, kernel, kernel)
    for part in ('weight', 'bias', 'running_mean', 'running_var'):
        yield f'{norm}.{part}', (out,)
    yield f'{norm}.num_batches_tracked', ()


def linear(name: str, width: int, classes: int = 100) -> Layout:
    yield f'{name}.weight', (classes, width)
    yield f'{name}.bias', (classes,)


def resnet(depth: int, widths: tuple[int, ...]) -> Layout:
    yield from conv_bn('conv1', 'bn1', widths[0], 3, 3)
    width = widths[0]
    for layer, out in enumerate(widths[1:], 1):
        for block in range((depth - 2) // 6):
            name = f'layer{layer}.{block}'
            yield from conv_bn(f'{name}.conv1', f'{name}.bn1', out, width, 3)
            yield from conv_bn(f'{name}.conv2', f'{name}.bn2', out, out, 3)
            if width != out:
                down = f'{name}.downsample'
                yield from conv_bn(f'{down}.0', f'{down}.1', out, width, 1)
            width = out
    yield from linear('fc', width)


def resnet50() -> Layout:
    yield from conv_bn('conv1', 'bn1', 64, 3, 3)
    width = 64
    for layer, (mid, blocks) in enumerate(
        ((64, 3), (128, 4), (256, 6), (512, 3)), start=1
    ):
        for block in range(blocks):
            name = f'layer{layer}.{block}'
            yield from conv_bn(f'{name}.conv1', f'{name}.bn1', mid, width, 1)
            yield from conv_bn(f'{name}.conv2', f'{name}.bn2', mid, mid, 3)
            yield from conv_bn(f'{name}.conv3', f'{name}.bn3', 4 * mid, mid, 1)
            if block == 0:
                short = f'{name}.shortcut'
                yield from conv_bn(f'{short}.0', f'{short}.1', 4 * mid, width, 1)
            width = 4 * mid
    yield from linear('linear', width)


def wrn(depth: int, widen: int) -> Layout:
    yield 'conv1.weight', (16, 3, 3, 3)
    width = 16
    for stage, out in enumerate((16 * widen, 32 * widen, 64 * widen), 1):
        for block in range((depth - 4) // 6):
            name = f'block{stage}.layer.{block}'
            # The BatchNorm comes first: it has the width of what goes in.
            yield from list(conv_bn('', f'{name}.bn1', width, 1, 1))[1:]
            yield f'{name}.conv1.weight', (out, width, 3, 3)
            yield from conv_bn(f'{name}.conv2', f'{name}.bn2', out, out, 3)
            if width != out:
                yield f'{name}.convShortcut.weight', (out, width, 1, 1)
            width = out
    yield from list(conv_bn('', 'bn1', width, 1, 1))[1:]
    yield from linear('fc', width)


def vgg(convs: tuple[int, ...]) -> Layout:
    width = 3
    for block, (out, count) in enumerate(
        zip((64, 128, 256, 512, 512), convs, strict=True)
    ):
        for index in range(count):
            conv, norm = f'block{block}.{3 * index}', f'block{block}.{3 * index + 1}'
            yield from conv_bn(conv, norm, out, width, 3)
            yield f'{conv}.bias', (out,)
            width = out
    yield from linear('classifier', width)


def mobilenetv2() -> Layout:
    yield from conv_bn('conv1.0', 'conv1.1', 16, 3, 3)
    width = 16
    for group, (expansion, out, blocks) in enumerate(MOBILENET_GROUPS):
        for block in range(blocks):
            name, hidden = f'blocks.{group}.{block}.conv', width * expansion
            yield from conv_bn(f'{name}.0', f'{name}.1', hidden, width, 1)
            yield from conv_bn(f'{name}.3', f'{name}.4', hidden, 1, 3)
            yield from conv_bn(f'{name}.6', f'{name}.7', out, hidden, 1)
            width = out
    yield from conv_bn('conv2.0', 'conv2.1', 1280, width, 1)
    yield from linear('classifier.0', 1280)


def shufflenetv1() -> Layout:
    yield from conv_bn('conv1', 'bn1', 24, 3, 1)
    width = 24
    for layer, (out, units) in enumerate(((240, 4), (480, 8), (960, 4)), 1):
        for unit in range(units):
            name = f'layer{layer}.{unit}'
            branch = out - width if unit == 0 else out
            mid = branch // 4
            per_group = width if width == 24 else width // 3
            yield from conv_bn(f'{name}.conv1', f'{name}.bn1', mid, per_group, 1)
            yield from conv_bn(f'{name}.conv2', f'{name}.bn2', mid, 1, 3)
            yield from conv_bn(f'{name}.conv3', f'{name}.bn3', branch, mid // 3, 1)
            width = out
    yield from linear('linear', width)


def shufflenetv2() -> Layout:
    yield from conv_bn('conv1', 'bn1', 24, 3, 1)
    width = 24
    for layer, (out, units) in enumerate(((116, 4), (232, 8), (464, 4)), 1):
        mid = out // 2
        for unit in range(units):
            name = f'layer{layer}.{unit}'
            first = 1
            if unit == 0:
                yield from conv_bn(f'{name}.conv1', f'{name}.bn1', width, 1, 3)
                yield from conv_bn(f'{name}.conv2', f'{name}.bn2', mid, width, 1)
                first = 3
            branch_in = width if unit == 0 else mid
            names = [(f'{name}.conv{k}', f'{name}.bn{k}') for k in range(first, 6)]
            yield from conv_bn(*names[0], mid, branch_in, 1)
            yield from conv_bn(*names[1], mid, 1, 3)
            yield from conv_bn(*names[2], mid, mid, 1)
            width = out
    yield from conv_bn('conv2', 'bn2', 1024, width, 1)
    yield from linear('linear', 1024)


def layout(arch: str) -> dict[str, tuple[int, ...]]:
    if arch == 'resnet50':
        return dict(resnet50())
    if arch.startswith('resnet'):
        wide = arch.endswith('x4')
        depth = int(arch.removeprefix('resnet').removesuffix('x4'))
        return dict(resnet(depth, (32, 64, 128, 256) if wide else (16, 16, 32, 64)))
    if arch.startswith('wrn'):
        depth, widen = arch.removeprefix('wrn').split('-')
        return dict(wrn(int(depth), int(widen)))
    if arch in VGG_CONVS:
        return dict(vgg(VGG_CONVS[arch]))
    families = (mobilenetv2, shufflenetv1, shufflenetv2)
    return dict({family.__name__: family for family in families}[arch]())


def noise(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Reproducible values in [-1, 1): a mixed integer hash of name and index."""
    index = np.arange(math.prod(shape), dtype=np.uint32)
    bits = index * np.uint32(2654435761) + np.uint32(zlib.crc32(name.encode()))
    for _ in range(2):
        bits = (bits ^ (bits >> np.uint32(16))) * np.uint32(0x45D9F3B)
    bits ^= bits >> np.uint32(16)
    return (bits / 2.0**31 - 1.0).reshape(shape)


def weights(arch: str) -> dict[str, torch.Tensor]:
    """A published state dict whose every value follows from its name."""
    state = {}
    for name, shape in layout(arch).items():
        values = noise(name, shape)
        if len(shape) > 1:
            values *= math.sqrt(6 / math.prod(shape[1:]))
        elif name.endswith(('running_var', 'weight')):
            values = 1 + values / 4
        else:
            values /= 4
        state[name] = torch.from_numpy(np.asarray(values, dtype=np.float32))
        if name.endswith('num_batches_tracked'):
            state[name] = torch.tensor(240)
    return state
