import importlib.util
import random
import zipfile
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from mmpretrain.registry import DATASETS

import mmkd.datasets  # noqa: F401

ROOT = Path(__file__).parents[2]
WNIDS = [f'n{number:08d}' for number in range(200)]
TAKEN = WNIDS[::2]


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


tool = load(ROOT / 'tools/dataset_converters/tiny_imagenet.py')


def jpeg(brightness: int, size: int = 64) -> bytes:
    image = np.full((size, size, 3), brightness, np.uint8)
    return cv2.imencode('.jpg', image)[1].tobytes()


def expected_training() -> list[tuple[int, int]]:
    """Class and number of the first two of each class in the random order."""
    every = [(label, number) for label in range(100) for number in range(500)]
    random.Random(0).shuffle(every)
    first = {c: [pair for pair in every if pair[0] == c][:2] for c in range(100)}
    return [pair for pair in every if pair in first[pair[0]]]


TRAINING = expected_training()


def files() -> dict[str, bytes]:
    """An original with one plain colour per class, two training images per class.

    Validation images are listed in an order of their own.
    """
    listed = [(n, WNIDS[n % 200]) for n in range(10_000)]
    rows = [f'val_{n}.JPEG\t{wnid}\t0\t0\t9\t9' for n, wnid in listed]
    made = {
        'wnids.txt': '\n'.join(reversed(WNIDS)).encode(),
        'val/val_annotations.txt': '\n'.join(rows).encode(),
    }
    for label, number in TRAINING:
        wnid = TAKEN[label]
        made[f'train/{wnid}/images/{wnid}_{number}.JPEG'] = jpeg(2 * label)
    shades = {wnid: jpeg(2 * label + 1) for label, wnid in enumerate(TAKEN)}
    for number, wnid in listed:
        if wnid in shades:
            made[f'val/images/val_{number}.JPEG'] = shades[wnid]
    return made


@pytest.fixture(scope='module')
def originals() -> dict[str, bytes]:
    return files()


def pack(content: dict[str, bytes], path: Path) -> Path:
    with zipfile.ZipFile(path, 'w') as archive:
        for name, value in content.items():
            archive.writestr(f'tiny-imagenet-200/{name}', value)
    return path


def run(source: Path, target: Path) -> None:
    tool.main([str(source), str(target), '--per-class', '2'])


def refused(content: dict[str, bytes], folder: Path) -> str:
    source = pack(content, folder / 'tiny.zip')
    with pytest.raises(SystemExit) as stop:
        run(source, folder / 'tin100')
    assert list(folder.iterdir()) == [source]
    assert isinstance(stop.value.code, str)
    return stop.value.code


def test_the_config_reads_what_is_written(
    originals: dict[str, bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(pack(originals, tmp_path / 'tiny.zip'), tmp_path / 'tin100')
    printed = capsys.readouterr().out
    assert '100 classes' in printed
    assert 'train: 200 images of 32x32' in printed
    assert 'test: 5,000 images of 32x32, sha256 ' in printed
    assert printed.count('not 3e129cd55a3910ab as it should be: damaged') == 1
    cfg = Config.fromfile(ROOT / 'configs/_base_/datasets/tin100.py')
    labels = {
        'train': [label for label, _ in TRAINING],
        'test': [label for label in range(100) for _ in range(50)],
    }
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        settings = loader.dataset | dict(
            data_root=str(tmp_path / 'tin100'), pipeline=[]
        )
        with DATASETS.switch_scope_and_registry('mmpretrain'):
            dataset = DATASETS.build(settings)
        assert list(dataset.metainfo['classes']) == TAKEN
        samples = [dataset[place] for place in range(len(dataset))]
        split = settings['split']
        assert [sample['gt_label'] for sample in samples] == labels[split]
        for sample in samples:
            shade = 2 * sample['gt_label'] + (split == 'test')
            assert sample['img'].shape == (32, 32, 3)
            assert np.abs(sample['img'].astype(int) - shade).max() <= 2


def test_colours_and_sizes_are_kept_in_order(tmp_path: Path) -> None:
    """Red above blue; any other order of rows, columns and channels differs."""
    image = np.zeros((64, 64, 3), np.uint8)
    image[:32, :, 2] = image[32:, :, 0] = 250
    (tmp_path / 'a.JPEG').write_bytes(cv2.imencode('.png', image)[1].tobytes())
    red, green, blue = tool.small(tmp_path / 'a.JPEG').reshape(3, 32, 32)
    # JPEG blurs the colours at their border.
    for channel, above, below in ((red, 250, 0), (green, 0, 0), (blue, 0, 250)):
        assert np.abs(channel[:12].astype(int) - above).max() <= 5
        assert np.abs(channel[-12:].astype(int) - below).max() <= 5


def test_folder_and_archive_give_the_same_bytes(
    originals: dict[str, bytes], tmp_path: Path
) -> None:
    source = pack(originals, tmp_path / 'tiny.zip')
    with zipfile.ZipFile(source) as archive:
        archive.extractall(tmp_path)
    run(source, tmp_path / 'one')
    run(tmp_path / 'tiny-imagenet-200', tmp_path / 'two')
    for name in ('train', 'test', 'meta'):
        one, two = (
            tmp_path / folder / 'cifar-100-python' / name for folder in ('one', 'two')
        )
        assert one.read_bytes() == two.read_bytes()


def without(content: dict[str, bytes], name: str) -> dict[str, bytes]:
    return {key: value for key, value in content.items() if key != name}


@pytest.mark.parametrize(
    'name', ['wnids.txt', 'val/val_annotations.txt', 'val/images/val_0.JPEG']
)
def test_a_missing_file(
    originals: dict[str, bytes], tmp_path: Path, name: str
) -> None:
    assert f'{name} is missing' in refused(without(originals, name), tmp_path)


def test_a_missing_training_image(
    originals: dict[str, bytes], tmp_path: Path
) -> None:
    name = next(name for name in originals if name.startswith('train/'))
    assert f'{name} is missing' in refused(without(originals, name), tmp_path)


def test_another_number_of_classes(
    originals: dict[str, bytes], tmp_path: Path
) -> None:
    fewer = originals | {'wnids.txt': '\n'.join(WNIDS[:-1]).encode()}
    assert 'must name 200 classes, got 199' in refused(fewer, tmp_path)


def test_a_class_without_some_validation_images(
    originals: dict[str, bytes], tmp_path: Path
) -> None:
    name = 'val/val_annotations.txt'
    fewer = originals | {name: b'\n'.join(originals[name].splitlines()[1:])}
    assert f'must name 50 images of {TAKEN[0]}, got 49' in refused(fewer, tmp_path)


@pytest.mark.parametrize(
    ('last', 'message'),
    [
        (0, 'lists images more than once: val_0.JPEG'),
        (1, 'lists images more than once: val_1.JPEG'),
        (None, "line 10000 must be an image and its class, got 'val_9999'"),
    ],
)
def test_an_image_that_is_listed_twice(
    originals: dict[str, bytes], tmp_path: Path, last: int | None, message: str
) -> None:
    name = 'val/val_annotations.txt'
    *lines, _ = originals[name].splitlines()
    lines.append(b'val_9999' if last is None else lines[last])
    assert message in refused(originals | {name: b'\n'.join(lines)}, tmp_path)


def test_more_training_images_than_there_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        tool.main([str(tmp_path), str(tmp_path / 'tin100'), '--per-class', '501'])
    assert '--per-class must be at most 500, got 501' in capsys.readouterr().err


def test_the_digests_are_those_of_the_page() -> None:
    page = (ROOT / 'docs' / 'data.md').read_text()
    for name in ('tiny_imagenet', 'camvid'):
        digests = load(ROOT / f'tools/dataset_converters/{name}.py').DIGESTS
        assert all(f'`{digest}`' in page for digest in digests.values())


def test_images_of_another_size(originals: dict[str, bytes], tmp_path: Path) -> None:
    name = 'val/images/val_2.JPEG'
    message = refused(originals | {name: jpeg(3, size=32)}, tmp_path)
    assert name in message
    assert 'got uint8 of shape (32, 32, 3)' in message


def test_what_is_no_archive(tmp_path: Path) -> None:
    (tmp_path / 'tiny.zip').write_text('not found')
    with pytest.raises(SystemExit, match='not a zip file'):
        run(tmp_path / 'tiny.zip', tmp_path / 'tin100')


def test_what_is_there_is_left_alone(
    originals: dict[str, bytes], tmp_path: Path
) -> None:
    (tmp_path / 'tin100').mkdir()
    with pytest.raises(SystemExit, match='exists already'):
        run(pack(originals, tmp_path / 'tiny.zip'), tmp_path / 'tin100')
