"""What a training step takes: the student alone, the usual loop, each method.

Networks are random, so are images: only sizes matter. Forms take turns, so that a
machine that slows down slows all of them; a figure is the median over the rounds.
Methods count in full, whatever their schedule.
The usual loop is the student's own step and the teacher's forward beside it, in
evaluation mode and without gradient.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmpretrain.structures import DataSample
from mmseg.structures import SegDataSample

from mmkd.config.changes import enable_amp, settle_preprocessor
from mmkd.config.experiments import drop_parts, load_config, set_methods
from mmkd.engine.optim.constructor import keep_methods_apart
from mmkd.models import build_model
from mmkd.models.build import model_dict
from mmkd.registry import MODELS

PAIRS = {
    'resnet32x4_resnet8x4_cifar100': (64, 32, 32),
    'deeplabv3_r18_cityscapes': (4, 512, 1024),
}
"""Pairs, with images in a batch, height and width in pixels."""

ALONE, USUAL = 'student alone', 'usual loop'
METHODS = 'kd', 'dhkd', 'mhkd', 'fitnet', 'reviewkd'
DEVICE = 'cuda' if torch.cuda.is_available() else 'cpu'


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--pair', choices=PAIRS, nargs='+', default=list(PAIRS))
    parser.add_argument('--method', nargs='+', default=list(METHODS))
    parser.add_argument('--size', type=int, nargs=3, help='batch, height, width')
    parser.add_argument('--rounds', type=int, default=7)
    parser.add_argument('--steps', type=int, default=5, help='steps in a round')
    parser.add_argument('--amp', action='store_true')
    return parser.parse_args()


def config(pair: str, form: str, folder: Path, amp: bool) -> tuple[Config, Any]:
    """The config of a form, with random weights, and its teacher's model dict."""
    cfg = load_config(pair)
    init_default_scope(cfg.default_scope)
    teacher = cfg.model.teacher
    teacher.config = model_dict(teacher.config)
    cfg.model.student.pop('pretrained', None)
    teacher.config.pop('pretrained', None)
    teacher.checkpoint = str(folder / f'{pair}.pth')
    if not Path(teacher.checkpoint).exists():
        torch.save(build_model(teacher.config).state_dict(), teacher.checkpoint)
    model = teacher.config
    set_methods(cfg, ['none' if form in (ALONE, USUAL) else form])
    drop_parts(cfg)
    if amp:
        enable_amp(cfg)
    settle_preprocessor(cfg)
    keep_methods_apart(cfg)
    return cfg, model


def batch(pixels: bool, size: tuple[int, int, int], classes: int) -> dict[str, Any]:
    """Random images with random labels, as a loader hands them over."""
    count, height, width = size
    images = torch.randint(0, 256, (count, 3, height, width), dtype=torch.uint8)
    samples: list[Any] = []
    for _ in range(count):
        if pixels:
            labels = torch.randint(0, classes, (1, height, width))
            data = PixelData(data=labels)
            samples.append(SegDataSample(gt_sem_seg=data))
        else:
            samples.append(DataSample().set_gt_label(int(torch.randint(classes, ()))))
    return dict(inputs=list(images), data_samples=samples)


def stepper(
    cfg: Config, teacher: Any, usual: bool, data: dict[str, Any]
) -> Callable[[], None]:
    """What runs one step of a form."""
    model = MODELS.build(cfg.model).to(DEVICE).train()
    for method in getattr(model, 'methods', {}).values():
        method.schedule_factor = 1.0
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    beside = build_model(teacher).to(DEVICE).eval() if usual else None

    def step() -> None:
        if beside is not None:
            with torch.no_grad(), wrapper.optim_context(model):
                beside(beside.data_preprocessor(dict(data), True)['inputs'])
        model.train_step(dict(data), wrapper)

    return step


def timed(step: Callable[[], None], steps: int) -> tuple[float, float]:
    """Milliseconds a step, and MiB of the device's memory it takes meanwhile."""
    held = 0
    if DEVICE == 'cuda':
        torch.cuda.reset_peak_memory_stats()
        torch.cuda.synchronize()
        held = torch.cuda.memory_allocated()
    begin = time.perf_counter()
    for _ in range(steps):
        step()
    peak = 0.0
    if DEVICE == 'cuda':
        torch.cuda.synchronize()
        peak = (torch.cuda.max_memory_allocated() - held) / 2**20
    return (time.perf_counter() - begin) / steps * 1e3, peak


def main() -> None:
    """Measure and print."""
    args = parse_args()
    torch.manual_seed(0)
    if DEVICE == 'cuda':
        torch.backends.cudnn.benchmark = True
        print(torch.cuda.get_device_name())
    forms = [ALONE, USUAL, *args.method]
    for pair in args.pair:
        size = tuple(args.size or PAIRS[pair])
        steps: dict[str, Callable[[], None]] = {}
        with tempfile.TemporaryDirectory() as folder:
            for form in forms:
                cfg, teacher = config(pair, form, Path(folder), args.amp)
                data = batch('cityscapes' in pair, size, 19)
                steps[form] = stepper(cfg, teacher, form == USUAL, data)
        for step in steps.values():
            timed(step, 2)
        seen: dict[str, list[tuple[float, float]]] = {form: [] for form in forms}
        for _ in range(args.rounds):
            for form, step in steps.items():
                seen[form].append(timed(step, args.steps))
        print(f'{pair}, {"x".join(map(str, size))}, {"amp" if args.amp else "float32"}')
        usual = statistics.median(time for time, _ in seen[USUAL])
        for form, values in seen.items():
            times = [time for time, _ in values]
            print(
                f'  {form:16} {statistics.median(times):9.2f} ms '
                f'[{min(times):.2f}, {max(times):.2f}]  '
                f'/ usual {statistics.median(times) / usual:.3f}  '
                f'{max(peak for _, peak in values):8.0f} MiB in a step'
            )


if __name__ == '__main__':
    main()
