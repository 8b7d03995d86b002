"""How fast CIFAR networks train, by memory layout and precision, on one CPU core."""

import argparse
import time
from itertools import product
from pathlib import Path

import torch
from mmengine.config import Config
from torch import nn

from mmkd.models import build_model

MODELS = Path(__file__).parents[1] / 'configs/_base_/models'


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('archs', nargs='*', default=['resnet8', 'resnet20'])
    parser.add_argument('--batch', type=int, default=64)
    parser.add_argument('--steps', type=int, default=10)
    parser.add_argument('--rounds', type=int, default=3, help='interleaved repetitions')
    return parser.parse_args()


def images_a_second(
    network: nn.Module, bfloat16: bool, batch: int, steps: int
) -> float:
    """Images a second of processor time, forward and backward pass."""
    images = torch.randn(batch, 3, 32, 32)
    for step in range(steps + 2):
        if step == 2:
            begin = time.process_time()
        with torch.autocast('cpu', torch.bfloat16, enabled=bfloat16):
            [features] = network.extract_feat(images, stage='backbone')
        features.float().mean().backward()
    return steps * batch / (time.process_time() - begin)


def main() -> None:
    """Measure and print."""
    args = parse_args()
    torch.set_num_threads(1)
    for arch in args.archs:
        cfg = Config.fromfile(MODELS / f'{arch}_cifar.py').model
        cases = list(product((False, True), repeat=2))
        cfg['_scope_'] = 'mmpretrain'
        networks = {case: build_model(cfg) for case in cases}
        for last, bfloat16 in cases:
            if last:
                networks[last, bfloat16].to(memory_format=torch.channels_last)
        for number in range(args.rounds):
            for last, bfloat16 in cases:
                speed = images_a_second(
                    networks[last, bfloat16], bfloat16, args.batch, args.steps
                )
                print(
                    f'{arch} round {number}: '
                    f'{"bfloat16" if bfloat16 else "float32"}'
                    f'{", channels last" if last else ""}: {speed:.0f} images/s'
                )


if __name__ == '__main__':
    main()
