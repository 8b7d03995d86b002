import re
from pathlib import Path

import pytest

from mmkd.config.experiments import load_config, set_methods

ROOT = Path(__file__).parents[2]


def test_the_shown_config_is_the_shown_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (ROOT / 'docs/coming_from.md').read_text()
    [block] = re.findall(r'```python\n(.*?)```', page, re.S)
    monkeypatch.chdir(tmp_path)
    Path('cwd.py').write_text(block)
    shown = load_config('cwd.py').model
    cfg = load_config('mmkd::_base_/pairs/pspnet_r18_cityscapes.py')
    set_methods(cfg, ['cwd'])
    cfg.model.methods.cwd.weight = 5.0
    cfg.model.methods.cwd.loss.tau = 1.0
    cfg.model.methods.cwd.pop('source')
    assert shown.methods == cfg.model.methods
    assert shown.teacher == cfg.model.teacher
