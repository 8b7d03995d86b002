from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from mmseg.datasets import CityscapesDataset
from mmseg.utils import register_all_modules

from mmkd_demo.canvas import TRAIN_IDS, VOID
from mmkd_demo.street_scenes import SIZE, draw_scene, write_street_scenes

CONFIG = Path(__file__).parents[2] / 'configs/demo/segmentation/teacher.py'


@pytest.fixture(scope='module')
def scenes() -> list[tuple[np.ndarray, np.ndarray]]:
    return [draw_scene(seed) for seed in range(40)]


def test_train_ids_are_those_of_cityscapes() -> None:
    names = CityscapesDataset.METAINFO['classes']
    assert {name: names.index(name) for name in TRAIN_IDS} == TRAIN_IDS


def test_same_seed_draws_the_same_scene_and_another_seed_another() -> None:
    image, labels = draw_scene(3)
    again, labels_again = draw_scene(3)
    other, other_labels = draw_scene(4)
    np.testing.assert_array_equal(image, again)
    np.testing.assert_array_equal(labels, labels_again)
    assert (image != other).any()
    assert (labels != other_labels).any()


def test_images_and_labels_agree_in_size_and_type(
    scenes: list[tuple[np.ndarray, np.ndarray]],
) -> None:
    for image, labels in scenes:
        assert image.shape == (*SIZE, 3)
        assert labels.shape == SIZE
        assert image.dtype == labels.dtype == np.uint8


def test_labels_hold_every_class_often_and_nothing_else(
    scenes: list[tuple[np.ndarray, np.ndarray]],
) -> None:
    seen = [set(np.unique(labels)) for _, labels in scenes]
    assert set.union(*seen) == {*TRAIN_IDS.values(), VOID}
    for name, train_id in TRAIN_IDS.items():
        assert sum(train_id in labels for labels in seen) >= 12, name


def test_no_class_fills_nearly_everything(
    scenes: list[tuple[np.ndarray, np.ndarray]],
) -> None:
    pixels = np.concatenate([labels.ravel() for _, labels in scenes])
    shares = np.bincount(pixels, minlength=256) / len(pixels)
    assert shares.max() < 0.4
    assert all(shares[train_id] > 0.004 for train_id in TRAIN_IDS.values())
    assert shares[VOID] < 0.05


def test_light_and_noise_vary(scenes: list[tuple[np.ndarray, np.ndarray]]) -> None:
    brightness = [float(image.mean()) for image, _ in scenes]
    assert np.std(brightness) > 10


def test_folder_is_read_by_the_config_s_cityscapes_dataset(tmp_path: Path) -> None:
    assert write_street_scenes(tmp_path, train=3, val=2)
    register_all_modules(init_default_scope=True)
    cfg = Config.fromfile(CONFIG)
    seen = []
    for loader, count in ((cfg.train_dataloader, 3), (cfg.val_dataloader, 2)):
        settings = loader.dataset.to_dict()
        settings.pop('type')
        settings['data_root'] = str(tmp_path)
        dataset = CityscapesDataset(**settings)
        assert len(dataset) == count
        seen += [dataset.get_data_info(i)['img_path'] for i in range(count)]
    assert len(set(seen)) == 5
    sample = dataset[0]
    image = cv2.imread(seen[3])
    np.testing.assert_array_equal(sample['inputs'].numpy().transpose(1, 2, 0), image)
    train_ids = draw_scene(3)[1]
    order = {train_id: index for index, train_id in enumerate(TRAIN_IDS.values())}
    expected = np.vectorize(lambda train_id: order.get(train_id, VOID))(train_ids)
    labels = sample['data_samples'].gt_sem_seg.data[0].numpy()
    np.testing.assert_array_equal(labels, expected)


def test_complete_folder_is_kept_and_other_counts_are_written_anew(
    tmp_path: Path,
) -> None:
    assert write_street_scenes(tmp_path, train=1, val=1)
    assert not write_street_scenes(tmp_path, train=1, val=1)
    assert write_street_scenes(tmp_path, train=2, val=1)
    assert len(list(tmp_path.rglob('*_leftImg8bit.png'))) == 3
