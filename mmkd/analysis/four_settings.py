"""The four settings of Dual-Head KD's Figure 2, on any pair."""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from mmengine.config import Config

from mmkd.config.experiments import CONFIGS, load_config
from mmkd.runs.training import Training

SETTINGS = {
    'cross_entropy': 'cross-entropy alone',
    'binary_kl': 'BinaryKL alone',
    'one_head': 'both on one head',
    'two_heads': 'DHKD: a head for each',
}
"""Labels, by the name of the config in ``configs/dhkd/collapse``."""

METHODS = {'binary_kl': 'binary_kl', 'one_head': 'binary_kl', 'two_heads': 'dual_head'}
"""The method whose weight and temperature a setting uses."""

PARTS = ('_base_/methods/binary_kl', '_base_/methods/dhkd', 'dhkd/collapse/measures')
PAIR = """# Shared by the four settings in this folder.
_base_ = {bases!r}
default_hooks = _base_.measures
"""
EVERY_EPOCH = 'train_cfg = dict(val_interval=1)\n'


def write_configs(folder: Path, pair: str) -> None:
    """Write the configs of the four settings on a pair.

    Args:
        folder: Where to write them; it is created if missing.
        pair: Config file of a distillation, or the name of a pair.

    Raises:
        FileNotFoundError: If there is no such config.
        ValueError: If it trains without a teacher.
    """
    cfg = load_config(pair)
    if 'teacher' not in cfg.model:
        raise ValueError(f'{pair} has no teacher, which the settings need.')
    folder.mkdir(parents=True, exist_ok=True)
    for name in SETTINGS:
        shutil.copy(CONFIGS / 'dhkd' / 'collapse' / f'{name}.py', folder)
    bases = [str(Path(cfg.filename).resolve())]
    for part in PARTS:
        # Two bases cannot both define a variable.
        if not Config.fromfile(CONFIGS / f'{part}.py').keys() & cfg.keys():
            bases.append(f'mmkd::{part}.py')
    text = PAIR.format(bases=bases)
    if 'max_epochs' in cfg.train_cfg:
        text += EVERY_EPOCH
    (folder / 'pair.py').write_text(text)


def trainings(
    train: str,
    work_dir: Path,
    seeds: int,
    options: Sequence[str],
    changes: Sequence[str] = (),
) -> Iterator[Training]:
    """The trainings of all settings, seed by seed.

    Args:
        train: Path of ``tools/train.py``.
        work_dir: The folder that has the configs in ``configs``.
        seeds: How many seeds, from 0.
        options: Further options of ``tools/train.py``.
        changes: ``SETTING=VALUE`` of the method, whichever a setting uses.
    """
    for seed in range(seeds):
        for name in SETTINGS:
            config, run = work_dir / 'configs' / f'{name}.py', f'{name}_{seed}'
            command = [train, str(config), '--work-dir', str(work_dir / run)]
            command += ['--resume', *options]
            if changes and name in METHODS:
                command += ['--set', *(f'{METHODS[name]}.{each}' for each in changes)]
            command += ['--cfg-options', f'randomness.seed={seed}']
            yield Training(name, seed, tuple(command), work_dir / run)
