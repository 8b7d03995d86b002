from pathlib import Path

import numpy as np
from mmengine.config import Config
from mmpretrain.datasets import CustomDataset
from mmpretrain.utils import register_all_modules
from sklearn.datasets import load_digits

from mmkd_demo.digits import TRAIN, write_digits

CONFIG = Path(__file__).parents[2] / 'configs/demo/classification/teacher.py'


def test_split_is_disjoint_and_complete_as_the_config_reads_it(tmp_path: Path) -> None:
    assert write_digits(tmp_path)
    assert not write_digits(tmp_path)
    register_all_modules(init_default_scope=False)
    cfg, digits = Config.fromfile(CONFIG), load_digits()
    numbers: list[int] = []
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        settings = loader.dataset.to_dict()
        settings.pop('type')
        settings['data_root'] = str(tmp_path)
        dataset = CustomDataset(**settings)
        for index in range(len(dataset)):
            info = dataset.get_data_info(index)
            number = int(Path(info['img_path']).stem)
            assert info['gt_label'] == digits.target[number]
            numbers.append(number)
        if loader is cfg.train_dataloader:
            assert len(dataset) == TRAIN
    assert sorted(numbers) == list(range(1797))
    # The last data set is the validation set, which augments nothing.
    image = dataset[5]['inputs'][0].numpy()
    np.testing.assert_allclose(
        image / 255 * 16, digits.images[numbers[TRAIN + 5]], atol=0.04
    )
