from pathlib import Path

import pytest
from mmengine.config import Config

from mmkd.runs.settings import read_dumped


def test_it_reads_what_mmengine_dumps(tmp_path: Path) -> None:
    written = dict(
        model=dict(type='X', depth=[1, dict(a=-1.5)], none=None, path='it\'s "C:\\"'),
        randomness=dict(seed=3),
        odd={'a b': 1, 'c': dict(d=True)},
        # Transforms accept sizes as tuples only.
        pipeline=[dict(scale=(2048, 1024)), (dict(e=(1,)), [2])],
    )
    Config(written).dump(str(tmp_path / 'config.py'))
    assert read_dumped(tmp_path / 'config.py') == written


def test_nothing_of_it_is_run(tmp_path: Path) -> None:
    file = tmp_path / 'config.py'
    file.write_text(
        f'a = dict(x=open({str(tmp_path / "trap")!r}, "w"), y=1)\n'
        f'open({str(tmp_path / "trap")!r}, "w")\n'
    )
    settings = read_dumped(file)
    assert settings['a']['y'] == 1
    assert settings['a']['x'].startswith('open(')
    assert not (tmp_path / 'trap').exists()


def test_what_is_no_python_is_named(tmp_path: Path) -> None:
    (tmp_path / 'config.py').write_text('a = dict(')
    with pytest.raises(ValueError, match=r'config\.py is not a dumped config'):
        read_dumped(tmp_path / 'config.py')
