"""Measure a student as deployed: size, latency and score, next to its teacher.

Example:
    mmkd profile work_dirs/run/student.py work_dirs/run/student.pth
"""

import argparse
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from mmengine.config import Config
from torch import Tensor

import mmkd
from mmkd.cli.command_line import positive
from mmkd.cli.console import ending_in_words
from mmkd.cli.deployment import (
    add_network_options,
    check_outputs,
    config_of,
    size_of,
)
from mmkd.cli.parser import command_parser
from mmkd.config.changes import set_teacher
from mmkd.deploy.forms import Subject, score_all, subject_of, time_all
from mmkd.deploy.images import (
    TRAINING,
    VALIDATION,
    at_size,
    dataset_of,
    images_of,
    noise,
)
from mmkd.deploy.names import check_names
from mmkd.deploy.needs import NEEDED, needed
from mmkd.deploy.network import Network, student_network, teacher_network
from mmkd.deploy.worth import record, sentences, table
from mmkd.models.class_names import names_of

SCORED = {'pixels': 200, 'images': 2000}
"""Default number of validation images, by what is classified."""


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = command_parser(__doc__)
    add_network_options(parser)
    parser.add_argument('--teacher', metavar='CKPT', help='checkpoint of the teacher')
    parser.add_argument('--threads', type=positive, default=1, help='CPU threads (1)')
    parser.add_argument(
        '--seconds', type=float, default=60, help='total time to measure latencies (60)'
    )
    parser.add_argument(
        '--images',
        type=positive,
        metavar='N',
        help='validation images to score on (200 for segmentation, else 2000)',
    )
    parser.add_argument('--no-score', action='store_true', help='do not evaluate')
    parser.add_argument(
        '--calibration',
        type=positive,
        default=100,
        metavar='N',
        help='training images for int8 calibration (100)',
    )
    parser.add_argument('--keep', type=Path, metavar='DIR', help='keep the ONNX files')
    parser.add_argument('--out', type=Path, metavar='FILE', help='save results as JSON')
    args = parser.parse_args()
    if not 0 <= args.seconds < math.inf:
        parser.error(f'--seconds must be finite and at least 0, got {args.seconds:g}.')
    return args


def data_of(cfg: Config, loader: str, without: str, notes: list[str]) -> Any:
    """A data set, or None and a note on what cannot be measured without it."""
    try:
        return dataset_of(cfg, loader)
    except (OSError, ValueError) as error:
        notes.append(f'{without}: {error}')
        return None


def images_for(
    network: Network, dataset: Any, size: Sequence[int] | None
) -> list[Tensor]:
    """Two validation images, or noise, at the size to be timed.

    Raises:
        ValueError: If the size is unknown.
    """
    if dataset is not None:
        images = images_of(dataset, 2, network)
        return at_size(images, size or images[0].shape[2:])
    if not size:
        raise ValueError(
            'without validation images the image size is unknown: pass '
            '--size HEIGHT WIDTH.'
        )
    return noise(2, size, network)


def measure(cfg: Config, args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Build, export, time and evaluate the student, and its teacher if it has one.

    Returns:
        The results, ready for JSON.
    """
    notes: list[str] = []
    student = student_network(cfg, args.checkpoint)
    networks = {'student': student}
    validation = data_of(cfg, VALIDATION, 'no score', notes)
    if not args.no_score:
        check_names(student.trained_names, names_of(validation), args.checkpoint)
    if args.teacher:
        set_teacher(cfg, args.teacher)
    missing = ''
    if 'teacher' in cfg.model:
        names = None if args.no_score else names_of(validation)
        teacher, missing = teacher_network(cfg, student, names)
        if missing and args.teacher:
            raise ValueError(missing)
        networks = {'teacher': teacher, **networks}
    if missing:
        notes.append(f'teacher: random weights and no score: {missing}')
    training = data_of(cfg, TRAINING, 'no int8', notes)
    size = size_of(args, student)
    subjects: list[Subject] = []
    for name, network in networks.items():
        print(f'{name}: {network.kind}', flush=True)
        images = images_for(network, validation, size)
        few = images_of(training, args.calibration, network) if training else []
        made = subject_of(name, network, cfg, images, few, folder, args.threads)
        subjects.append(made)
    height, width = images[0].shape[2:]
    print(f'timed at {height} x {width}, threads: {args.threads}', flush=True)
    time_all(subjects, images[0], args.seconds)
    count = 0
    if validation and not args.no_score:
        wanted = args.images or SCORED[network.view.task.classified]
        count = min(wanted, len(validation))
        print(f'scored on {count} of {len(validation)} validation images', flush=True)
        for each in subjects[-1:] if missing else subjects:
            score_all(each, cfg, validation, count)
    measured = record(subjects)
    print(f'\n{table(measured)}')
    for line in (*sentences(measured), *notes, *(n for s in subjects for n in s.notes)):
        print(f'- {line}')
    return dict(
        command=['tools/profile_student.py', *sys.argv[1:]],
        config=args.config,
        size=[height, width],
        threads=args.threads,
        scored=count,
        calibrated=min(args.calibration, len(training)) if training else 0,
        torch=torch.__version__,
        onnxruntime=needed('onnxruntime').__version__,
        mmkd=mmkd.__version__,
        networks=measured,
        notes=notes,
    )


def main() -> None:
    """Measure, and print and save the results."""
    args = parse_args()
    for name in NEEDED:
        needed(name)
    torch.set_num_threads(args.threads)
    cfg = config_of(args)
    check_outputs(args, cfg, args.out, args.keep)
    with TemporaryDirectory() as folder:
        found = measure(cfg, args, args.keep or Path(folder))
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(found, indent=1))


if __name__ == '__main__':
    with ending_in_words(ImportError):
        main()
