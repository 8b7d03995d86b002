import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmseg.datasets import CityscapesDataset
from torch.utils.data import DataLoader

from mmkd.resilience.reading import CorruptSampleError, Keyed, SampleReader

PIPELINE = [dict(type='mmseg.LoadImageFromFile'), dict(type='mmseg.LoadAnnotations')]


@pytest.fixture
def streets(tmp_path: Path) -> CityscapesDataset:
    """Six images with labels, all intact."""
    generator = np.random.default_rng(0)
    for number in range(6):
        for name, shape in (
            ('image/{}_leftImg8bit.png', (40, 60, 3)),
            ('label/{}_gtFine_labelTrainIds.png', (40, 60)),
        ):
            path = tmp_path / name.format(number)
            path.parent.mkdir(exist_ok=True)
            cv2.imwrite(str(path), generator.integers(0, 19, shape, dtype=np.uint8))
    return CityscapesDataset(
        data_root=str(tmp_path),
        data_prefix=dict(img_path='image', seg_map_path='label'),
        pipeline=PIPELINE,
    )


def file_of(dataset: CityscapesDataset, number: int, kind: str) -> Path:
    return Path(dataset.get_data_info(number)[f'{kind}_path'])


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


def garble(path: Path) -> None:
    path.write_bytes(b'no image at all')


def clear(path: Path) -> None:
    path.write_bytes(b'')


def delete(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize('damage', [cut, garble, clear, delete])
@pytest.mark.parametrize(('kind', 'other'), [('img', 'seg_map'), ('seg_map', 'img')])
def test_the_corrupt_file_is_named(
    kind: str, other: str, damage: Callable[[Path], None], streets: CityscapesDataset
) -> None:
    damage(file_of(streets, 2, kind))
    with pytest.raises(CorruptSampleError) as error:
        SampleReader(streets)[2]
    message = str(error.value)
    assert f"sample 2, '{file_of(streets, 2, kind)}', cannot be read" in message
    assert str(file_of(streets, 2, other)) not in message.split('(')[0]
    assert 'train_cfg.skip_corrupt=True' in message


def test_a_truncated_jpeg_is_seen(tmp_path: Path, streets: CityscapesDataset) -> None:
    """OpenCV decodes it, and fills the missing part with grey."""
    image = np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)
    content = cv2.imencode('.jpg', image)[1].tobytes()
    path = file_of(streets, 1, 'img')
    path.write_bytes(content[: len(content) // 2])
    assert cv2.imread(str(path)) is not None
    with pytest.raises(CorruptSampleError, match=rf'{path}.*truncated'):
        SampleReader(streets)[1]
    # Bytes after the end do no harm.
    path.write_bytes(content + b'0' * 5000)
    assert SampleReader(streets)[1]['img'].shape == (40, 60, 3)


def test_corrupt_samples_are_replaced_and_counted(
    streets: CityscapesDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    log: list[str] = []
    monkeypatch.setattr(
        'mmkd.resilience.reading.print_log', lambda text, *_: log.append(text)
    )
    bad = file_of(streets, 2, 'seg_map')
    garble(bad)
    dataset = SampleReader(streets, skip_corrupt=True)
    found = [dataset[Keyed(2, (5, number, 1))]['img_path'] for number in range(20)]
    again = [dataset[Keyed(2, (5, number, 1))]['img_path'] for number in range(20)]
    assert found == again
    assert len(set(found)) > 2
    assert str(file_of(streets, 2, 'img')) not in found
    assert dataset.skipped >= 40
    (line,) = log
    assert line.startswith(f"Skipped: sample 2, '{bad}', cannot be read (")


@pytest.mark.parametrize('workers', [0, 2])
def test_workers_count_together(workers: int, streets: CityscapesDataset) -> None:
    for number in (1, 4):
        garble(file_of(streets, number, 'img'))
    dataset = SampleReader(streets, skip_corrupt=True, workers=workers)
    loader = DataLoader(
        dataset,  # type: ignore[arg-type]
        batch_sampler=[[(n, (7, 0, n))] for n in range(6)],  # type: ignore[arg-type]
        num_workers=workers,
        collate_fn=pseudo_collate,
    )
    assert len(list(loader)) == 6
    assert dataset.skipped >= 2


def test_nothing_but_corrupt_samples(streets: CityscapesDataset) -> None:
    for number in range(6):
        garble(file_of(streets, number, 'img'))
    dataset = SampleReader(streets, skip_corrupt=True)
    with pytest.raises(CorruptSampleError, match='10 samples in a row'):
        dataset[0]


class Draws:
    """Every source of random numbers that transforms use."""

    metainfo: ClassVar[dict] = dict(classes=('a',))

    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> tuple[float, ...]:
        return index, random.random(), np.random.rand(), torch.rand(()).item()


def test_the_key_decides() -> None:
    dataset = SampleReader(Draws())
    first = dataset[Keyed(1, (5, 7, 1))]
    assert dataset[Keyed(1, (5, 7, 1))] == first
    for key in ((6, 7, 1), (5, 8, 1), (5, 7, 2)):
        other = dataset[Keyed(1, key)]
        assert all(a != b for a, b in zip(first[1:], other[1:], strict=True))


class ByName(Draws):
    """Is indexed by a name or a pair, and lists no files for those."""

    def __getitem__(self, index: Any) -> Any:
        return index

    def get_data_info(self, index: int) -> dict[str, str]:
        return [dict(img_path='a.png')][index]


@pytest.mark.parametrize('index', ['a', ('a', 16), (1, 2), torch.tensor(2)])
def test_an_index_may_be_of_any_kind(index: Any) -> None:
    dataset = SampleReader(ByName())
    assert dataset[index] == index
    assert dataset[Keyed(index, (5, 7, 1))] == index
