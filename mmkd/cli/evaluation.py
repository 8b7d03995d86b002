"""What a test does beside scoring, by the options of both libraries' tools."""

import copy
from pathlib import Path
from typing import NamedTuple

from mmengine.config import Config
from mmengine.registry import HOOKS, METRICS

from mmkd.arguments import parameters_of
from mmkd.checks.places import several


class Library(NamedTuple):
    """What a library brings for a test.

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
"""By the ``default_scope`` of their configs."""


def average_augmentations(cfg: Config) -> None:
    """Test with test-time augmentation.

    What the config says in ``tta_model`` and ``tta_pipeline`` counts; without,
    predictions are averaged over each image and its mirror image.

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
        # As it is first: what is scored are the labels of the first one.
        flips = [dict(type='RandomFlip', prob=prob) for prob in (0.0, 1.0)]
        both = dict(type='TestTimeAug', transforms=[flips, [packing]])
        pipeline = [*steps, both]
    dataset.pipeline = pipeline


def save_predictions(cfg: Config, place: str) -> None:
    """Save what is predicted: label maps to a folder, scores of classes to a file.

    Args:
        cfg: The config of a student's test; changed in place.
        place: A folder where a metric of the config writes into one, as those of
            segmentation do, else a file that ends in ``.pkl``.

    Raises:
        ValueError: If it is to be a file and ends otherwise.
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
                f'--out {place}: predictions of classes are written to a file that '
                'ends in .pkl.'
            )
        cfg.test_evaluator = [*metrics, dict(type='DumpResults', out_file_path=place)]


def draw_predictions(cfg: Config, folder: str) -> None:
    """Draw every prediction into a folder.

    Args:
        cfg: The config of a student's test; changed in place.
        folder: The folder.

    Raises:
        ValueError: If the visualisation hook of the config is of no known kind, or
            draws no averages and is asked to.
    """
    hooks = cfg.setdefault('default_hooks', {})
    if hooks.get('visualization') is None:
        hooks['visualization'] = dict(type=_library(cfg, '--show-dir').hook)
    hook = hooks['visualization']
    arguments = parameters_of(HOOKS, hook, cfg.get('default_scope'))
    if {'enable', 'out_dir'} <= arguments.keys():
        if 'module' in cfg.model:
            raise ValueError(
                f'--show-dir: {hook["type"]} draws what the model was given, of which '
                'there are several with --tta. Draw in a test without it.'
            )
        hook.update(enable=True, interval=1, out_dir=folder)
    elif 'draw' in arguments:
        hook.update(draw=True, interval=1)
        visualizer = cfg.setdefault('visualizer', dict(type='SegLocalVisualizer'))
        visualizer.setdefault('vis_backends', [dict(type='LocalVisBackend')])
        visualizer['save_dir'] = folder
    else:
        raise ValueError(
            f'--show-dir: default_hooks.visualization is a {hook["type"]}; the hooks '
            f'that draw are {", ".join(lib.hook for lib in LIBRARIES.values())}.'
        )


def _library(cfg: Config, option: str) -> Library:
    scope = cfg.get('default_scope')
    if scope not in LIBRARIES:
        raise ValueError(
            f'{option} asks for what a library brings, and default_scope is {scope!r}: '
            f'set it to one of {", ".join(LIBRARIES)}.'
        )
    return LIBRARIES[scope]
