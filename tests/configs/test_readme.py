import re
from collections.abc import Callable
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.runner import Runner

ROOT = Path(__file__).parents[2]


def child_config() -> str:
    """The README's code block that is a config of its own."""
    blocks = re.findall(r'```python\n(.*?)```', (ROOT / 'README.md').read_text(), re.S)
    [block] = [block for block in blocks if block.startswith('_base_')]
    return block


def test_child_config_trains_on_other_data(
    tmp_path: Path,
    trained: Callable[..., Runner],
    data_roots: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = child_config()
    assert len(text.splitlines()) <= 10
    (tmp_path / 'configs').symlink_to(ROOT / 'configs')
    (tmp_path / 'child.py').write_text(text)
    cfg = Config.fromfile(tmp_path / 'child.py')
    data_root = tmp_path / cfg.data_root
    data_root.parent.mkdir(parents=True)
    data_root.symlink_to(data_roots['CityscapesDataset'])
    monkeypatch.chdir(tmp_path)
    runner = trained(cfg)
    assert runner.iter == 2
    distiller = runner.model
    assert distiller.student_view.num_classes == 11
    assert distiller.auxiliary_head.num_classes == 11
    assert distiller.teacher.view.num_classes == 11
    assert distiller.methods['dual_head'].weight == 0.5
    for dataset in (runner.train_dataloader.dataset, runner.val_dataloader.dataset):
        assert Path(dataset.data_root).resolve() == data_root.resolve()
        assert len(dataset.metainfo['classes']) == 11
    assert 'val/mIoU' in runner.message_hub.log_scalars
