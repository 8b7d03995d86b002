"""What a test does besides scoring, named like the options of both libraries."""

import copy
from pathlib import Path
from typing import NamedTuple

from mmengine.config import Config
from mmengine.registry import HOOKS, METRICS

from mmkd.arguments import parameters_of
from mmkd.checks.places import several


class Library(NamedTuple):
    """What a library provides for a test.

    Attributes:
        average: Its model that averages over augmentations.
        hook: Its hook that draws predictions.
    """

    average: str
    hook: str


LIBRARIES = {
    'mmseg': Library('mmseg.SegTTAModel', 'mmseg.SegVisualizationHook'),
    'mmpretrain': Library(
        'mmpretrain.AverageClsScoreTTA', 'mmpretrain.VisualizationHook'
    ),
}
"""The libraries by the ``default_scope`` of their configs."""


def average_augmentations(cfg: Config) -> None:
    """Test with test-time augmentation.

    Uses ``tta_model`` and ``tta_pipeline`` of the config; by default averages
    predictions over each image and its mirror image.

    Args:
        cfg: The config of a student's test; changed in place.
    """
    average = cfg.get('tta_model') or dict(type=_library(cfg, '--tta').average)
    cfg.model = dict(average, module=cfg.model)
    dataset = cfg.test_dataloader.dataset
    while 'pipeline' not in dataset:
        dataset = dataset.dataset
    pipeline = cfg.get('tta_pipeline')
    if pipeline is None:
        *steps, packing = copy.deepcopy(dataset.pipeline)
        # The unflipped image first: scores use the labels of the first one.
        flips = [dict(type='RandomFlip', prob=prob) for prob in (0.0, 1.0)]
        both = dict(type='TestTimeAug', transforms=[flips, [packing]])
        pipeline = [*steps, both]
    dataset.pipeline = pipeline


def save_predictions(cfg: Config, place: str) -> None:
    """Save the predictions: label maps to a folder, class scores to a file.

    Args:
        cfg: The config of a student's test; changed in place.
        place: A folder if a metric of the config can write to one, as segmentation
            metrics can; otherwise a file that ends in ``.pkl``.

    Raises:
        ValueError: If a file is required and the name does not end in ``.pkl``.
    """
    metrics = several(cfg.test_evaluator)
    scope = cfg.get('default_scope')
    taken = [parameters_of(METRICS, metric, scope) for metric in metrics]
    into_folder = any('output_dir' in names for names in taken)
    for metric, names in zip(metrics, taken, strict=True):
        if 'output_dir' not in names:
            continue
        metric['output_dir'] = place
        if 'keep_results' in names:
            metric['keep_results'] = True
    if not into_folder:
        if Path(place).suffix not in ('.pkl', '.pickle'):
            raise ValueError(
                f'--out {place}: class predictions are saved to a file that must '
                'end in .pkl.'
            )
        cfg.test_evaluator = [*metrics, dict(type='DumpResults', out_file_path=place)]


def draw_predictions(cfg: Config, folder: str) -> None:
    """Draw every prediction into a folder.

    Args:
        cfg: The config of a student's test; changed in place.
        folder: The folder.

    Raises:
        ValueError: If the type of the config's visualisation hook is unknown, or it
            cannot draw averages with test-time augmentation.
    """
    hooks = cfg.setdefault('default_hooks', {})
    if hooks.get('visualization') is None:
        hooks['visualization'] = dict(type=_library(cfg, '--show-dir').hook)
    hook = hooks['visualization']
    arguments = parameters_of(HOOKS, hook, cfg.get('default_scope'))
    if {'enable', 'out_dir'} <= arguments.keys():
        if 'module' in cfg.model:
            raise ValueError(
                f'--show-dir: {hook["type"]} draws the input of the model, and --tta '
                'gives it several. Draw in a test without --tta.'
            )
        hook.update(enable=True, interval=1, out_dir=folder)
    elif 'draw' in arguments:
        hook.update(draw=True, interval=1)
        visualizer = cfg.setdefault('visualizer', dict(type='SegLocalVisualizer'))
        visualizer.setdefault('vis_backends', [dict(type='LocalVisBackend')])
        visualizer['save_dir'] = folder
    else:
        raise ValueError(
            f'--show-dir: default_hooks.visualization is a {hook["type"]}; hooks that '
            f'can draw are {", ".join(lib.hook for lib in LIBRARIES.values())}.'
        )


def _library(cfg: Config, option: str) -> Library:
    scope = cfg.get('default_scope')
    if scope not in LIBRARIES:
        raise ValueError(
            f'{option} needs a class of a library, but default_scope is {scope!r}: '
            f'set it to one of {", ".join(LIBRARIES)}.'
        )
    return LIBRARIES[scope]
