"""What determines a view: samples, by name, and the data preprocessor of a config."""

from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config

from mmkd.recording.sources import pipeline_of, sample_lines


class Files:
    """A data set of files."""

    def __init__(self, root: Path, files: list[Path]) -> None:
        self.data_root, self.files = str(root), files

    def __len__(self) -> int:
        return len(self.files)

    def get_data_info(self, index: int) -> dict[str, Any]:
        return dict(img_path=str(self.files[index]), sample_idx=index)


class Both:
    """Two data sets, one after another."""

    def __init__(self, *datasets: Files) -> None:
        self.datasets = datasets

    def __len__(self) -> int:
        return sum(map(len, self.datasets))

    def get_data_info(self, index: int) -> dict[str, Any]:
        first = self.datasets[0]
        if index < len(first):
            return first.get_data_info(index)
        return self.datasets[1].get_data_info(index - len(first))


def test_names_are_below_the_root(tmp_path: Path) -> None:
    # One root is a prefix of the other, and two folders have files of the same name.
    roots = [tmp_path / 'cam', tmp_path / 'camvid']
    sets = []
    for size, root in enumerate(roots, 1):
        files = [root / folder / 'a.png' for folder in ('x', 'y')]
        for file in files:
            file.parent.mkdir(parents=True)
            file.write_bytes(bytes(size))
        sets.append(Files(root, files))
    lines = list(sample_lines(Both(*sets)))
    assert lines == ['x/a.png 1', 'y/a.png 1', 'x/a.png 2', 'y/a.png 2']


def test_a_file_outside_of_every_root_keeps_its_whole_name(tmp_path: Path) -> None:
    file = tmp_path / 'elsewhere' / 'a.png'
    file.parent.mkdir()
    file.write_bytes(b'1234')
    assert list(sample_lines(Files(tmp_path / 'root', [file]))) == [f'{file} 4']


FLIPS = dict(type='mmkd.CropFlipDataPreprocessor', flip_prob=0.5)


@pytest.mark.parametrize(
    'config',
    [
        dict(data_preprocessor=FLIPS, model=dict(student=dict(type='A'))),
        dict(model=dict(data_preprocessor=FLIPS, student=dict(type='A'))),
        dict(model=dict(student=dict(type='A', data_preprocessor=FLIPS))),
        dict(data_preprocessor=FLIPS, model=dict(type='A')),
        dict(data_preprocessor=dict(flip_prob=0), model=dict(data_preprocessor=FLIPS)),
    ],
)
def test_the_data_preprocessor_counts_wherever_a_config_has_it(config: Any) -> None:
    loader = dict(dataset=dict(type='D'))
    cfg = Config(dict(config, train_dataloader=loader, default_scope='mmseg'))
    assert pipeline_of(cfg)['data_preprocessor'] == FLIPS
    assert cfg.model == config['model']
