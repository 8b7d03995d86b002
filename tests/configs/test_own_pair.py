import re
from collections.abc import Callable
from pathlib import Path

import pytest
from mmengine.runner import Runner
from noise_data import write_folders

from mmkd.config.experiments import load_config, set_methods

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / 'docs/own_pair.md').read_text()
FILES = dict(
    zip(
        ('student.py', 'teacher.py', 'pair.py'),
        re.findall(r'```python\n(.*?)```', PAGE, re.S),
        strict=True,
    )
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files of the page and images as described there."""
    monkeypatch.chdir(tmp_path)
    for name, text in FILES.items():
        Path(name).write_text(text)
    write_folders(tmp_path / 'data/field')
    return tmp_path


def test_the_files_of_the_page_train(
    folder: Path, trained: Callable[..., Runner]
) -> None:
    for name in ('teacher.py', 'student.py'):
        runner = trained(load_config(name))
        assert 'val/mIoU' in runner.message_hub.log_scalars
        assert runner.model.decode_head.num_classes == 3
    cfg = load_config('pair.py')
    set_methods(cfg, ['dhkd'])
    runner = trained(cfg)
    logged = runner.message_hub.log_scalars
    assert logged['train/distill.dual_head.loss'].current() > 0
    assert len(runner.train_dataloader.dataset) == 8
    assert len(runner.val_dataloader.dataset) == 4


def test_the_teacher_is_the_larger_network(folder: Path) -> None:
    student, teacher = (load_config(f'{name}.py') for name in ('student', 'teacher'))
    assert teacher.model.backbone.base_channels > student.model.backbone.base_channels
    assert teacher.train_dataloader == student.train_dataloader
    for cfg in (student, teacher):
        assert cfg.model.get('pretrained') is None
        assert cfg.param_scheduler[0].end == cfg.train_cfg.max_iters
