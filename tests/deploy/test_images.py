from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config
from mmpretrain.datasets import cifar, mnist

import mmkd.datasets
from mmkd.deploy.images import TRAINING, VALIDATION, dataset_of


@pytest.mark.parametrize('kind', ['mmkd.CIFAR100', 'mmkd.SVHN', 'CIFAR10', 'MNIST'])
@pytest.mark.parametrize('name', [TRAINING, VALIDATION])
def test_nothing_is_downloaded(
    kind: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def download(*_: Any, **__: Any) -> None:
        raise AssertionError('a download')

    modules = (cifar, mnist, mmkd.datasets.cifar)
    for module in modules:
        monkeypatch.setattr(module, 'download_and_extract_archive', download)
    monkeypatch.setattr(mmkd.datasets.svhn, 'download_url', download)
    split = 'train' if name == TRAINING else 'test'
    dataset = dict(type=kind, data_root=str(tmp_path), split=split, download=True)
    (tmp_path / 'other').write_text('another data set')
    dataset = dict(type='RepeatDataset', times=1, dataset=dataset)
    cfg = Config({'default_scope': 'mmpretrain', name: dict(dataset=dataset)})
    with pytest.raises(FileNotFoundError, match=str(tmp_path)):
        dataset_of(cfg, name)
    assert [path.name for path in tmp_path.iterdir()] == ['other']
