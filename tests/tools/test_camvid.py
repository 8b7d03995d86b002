import importlib.util
import os
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from mmseg.registry import DATASETS

ROOT = Path(__file__).parents[2]


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


tool = load(ROOT / 'tools/dataset_converters/camvid.py')

# SegNet's classes, in its order, with Cityscapes' names.
CLASSES = ('sky', 'building', 'pole', 'road', 'sidewalk', 'vegetation', 'traffic sign')
CLASSES += ('fence', 'car', 'person', 'rider')


def write(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)


@pytest.fixture
def original(tmp_path: Path) -> Path:
    return made(tmp_path / 'CamVid')


def made(folder: Path) -> Path:
    """As many images as the original has, identical except for one per split."""
    rng = np.random.default_rng(0)
    for split, count in (('train', 367), ('val', 101)):
        for number in range(count):
            name = f'0001TP_{number:06d}.png'
            for kind, shape, high in (
                (split, (360, 480, 3), 256),
                (f'{split}annot', (360, 480), 12),
            ):
                if number < 2:
                    write(folder / kind / name, rng.integers(0, high, shape, np.uint8))
                else:
                    os.link(folder / kind / '0001TP_000001.png', folder / kind / name)
    return folder


@pytest.fixture(scope='module')
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an original, ``CamVid``, and its conversion, ``camvid``."""
    folder = tmp_path_factory.mktemp('data')
    run(made(folder / 'CamVid'), folder / 'camvid')
    return folder


def run(original: Path, target: Path) -> None:
    tool.main([str(original), str(target)])


def refused(original: Path) -> str:
    target = original.parent / 'camvid'
    with pytest.raises(SystemExit) as stop:
        run(original, target)
    assert list(original.parent.iterdir()) == [original]
    assert isinstance(stop.value.code, str)
    return stop.value.code


def contents(folder: Path) -> dict[str, bytes]:
    files = filter(Path.is_file, folder.rglob('*'))
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_the_config_reads_what_is_written(converted: Path) -> None:
    original = converted / 'CamVid'
    cfg = Config.fromfile(ROOT / 'configs/_base_/datasets/camvid.py')
    for split, loader, count in (
        ('train', cfg.train_dataloader, 367),
        ('val', cfg.val_dataloader, 101),
    ):
        settings = loader.dataset | dict(
            data_root=str(converted / 'camvid'), pipeline=cfg.test_pipeline
        )
        with DATASETS.switch_scope_and_registry('mmseg'):
            dataset = DATASETS.build(settings)
        assert len(dataset) == count
        sample = dataset[0]
        # A pixel averages 1.5 pixels of the original in each direction.
        source = cv2.imread(str(original / split / '0001TP_000000.png')).astype(float)
        whole = source.repeat(2, 0).repeat(2, 1).reshape(240, 3, 320, 3, 3)
        expected = whole.mean((1, 3)).transpose(2, 0, 1)
        assert np.abs(sample['inputs'].numpy() - expected).max() <= 0.5 + 1e-9

        names = dataset.metainfo['classes']
        numbers = [names.index(name) for name in CLASSES] + [255]
        label = cv2.imread(str(original / f'{split}annot' / '0001TP_000000.png'), -1)
        rows, columns = np.arange(240) * 3 // 2, np.arange(320) * 3 // 2
        expected = np.array(numbers)[label[rows[:, None], columns]]
        found = sample['data_samples'].gt_sem_seg.data[0].numpy()
        np.testing.assert_array_equal(found, expected)


def test_twice_the_same_bytes(
    converted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(converted / 'CamVid', tmp_path / 'again')
    printed = capsys.readouterr().out
    assert 'train: 367 images' in printed
    assert 'val: 101 images' in printed
    once = contents(converted / 'camvid')
    assert len(once) == 2 * (367 + 101)
    assert once == contents(tmp_path / 'again')


def test_a_missing_split(original: Path) -> None:
    (original / 'val').rename(original / 'validation')
    assert 'val and valannot must have the same file names' in refused(original)


def test_no_original_at_all(tmp_path: Path) -> None:
    (tmp_path / 'CamVid').mkdir()
    assert 'must have 367 images' in refused(tmp_path / 'CamVid')


def test_a_missing_label(original: Path) -> None:
    (original / 'trainannot' / '0001TP_000007.png').unlink()
    assert 'only in one of them: 0001TP_000007.png.' in refused(original)


def test_a_part_of_the_images(original: Path) -> None:
    for folder in ('val', 'valannot'):
        (original / folder / '0001TP_000100.png').unlink()
    assert 'must have 101 images' in refused(original)


@pytest.mark.parametrize('folder', ['val', 'valannot'])
def test_another_size(original: Path, folder: str) -> None:
    path = original / folder / '0001TP_000050.png'
    path.unlink()
    channels = () if folder == 'valannot' else (3,)
    write(path, np.zeros((720, 960, *channels), np.uint8))
    message = refused(original)
    assert str(path) in message
    assert 'of shape (720, 960' in message


def test_labels_in_colour(original: Path) -> None:
    path = original / 'trainannot' / '0001TP_000050.png'
    path.unlink()
    write(path, np.zeros((360, 480, 3), np.uint8))
    message = refused(original)
    assert str(path) in message
    assert 'got uint8 of shape (360, 480, 3)' in message


def test_an_unknown_class(original: Path) -> None:
    path = original / 'trainannot' / '0001TP_000050.png'
    path.unlink()
    write(path, np.full((360, 480), 12, np.uint8))
    message = refused(original)
    assert str(path) in message
    assert 'labels must be 0 to 11, got 12' in message
