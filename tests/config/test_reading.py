from pathlib import Path

import pytest

from mmkd.config.experiments import load_config
from mmkd.config.reading import ConfigError, files_of, read_config

MODEL = "model = dict(type='A')\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / 'whole.py').write_text(MODEL)
    return tmp_path


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('a = 1\nb = (\n', r'child\.py, line 2: .*never closed'),
        ('a = 1\n\nb = missing + 1\n', r'child\.py, line 3: NameError: .*missing'),
        ('a = 1\nb = dict(**a)\n', r'child\.py, line 2: TypeError'),
        ('a = \udcff', 'child.py is not a text file'),
        ("_base_ = 'child.py'", r'inherits from itself: .*child.* -> .*child'),
        ("_base_ = 'other.py'", 'inherits from itself: .*child.*other.*child'),
        ("_base_ = '.'", r'from which .*child\.py inherits, is a folder'),
        (
            "_base_ = ['whole.py', 'twin.py']",
            r"child\.py: KeyError: .*Duplicate key.*'model'",
        ),
        ("_base_ = 'whole.py'\nmodel = dict(type=dict(b=1))", r'child\.py: TypeError'),
    ],
)
def test_what_is_wrong_is_said_with_its_place(
    folder: Path, text: str, message: str
) -> None:
    (folder / 'other.py').write_text("_base_ = 'child.py'")
    (folder / 'twin.py').write_text(MODEL)
    (folder / 'child.py').write_bytes(text.encode(errors='surrogateescape'))
    (folder / 'grandchild.py').write_text("_base_ = 'child.py'")
    for name in ('child.py', 'grandchild.py'):
        with pytest.raises(ConfigError, match=message):
            read_config(folder / name)


LAZY = """
from mmengine.config import read_base
with read_base():
    from .whole import *
"""


@pytest.mark.parametrize('first', ['import math\n', f'{LAZY}import math\n'])
def test_functions_of_a_config_are_no_settings(first: str, folder: Path) -> None:
    """They help to write a config, and cannot be dumped."""
    (folder / 'child.py').write_text(
        f"{first}def net(width):\n    return dict(type='A', width=width)\n"
        'model = net(2)\n'
    )
    cfg = read_config(folder / 'child.py')
    assert cfg.to_dict() == dict(model=dict(type='A', width=2))
    assert 'net' not in cfg.pretty_text


def test_a_config_that_does_not_exist(folder: Path) -> None:
    (folder / 'child.py').write_text("_base_ = 'whol.py'")
    with pytest.raises(FileNotFoundError, match=r"not exist\. .* mean 'whole\.py'"):
        load_config(str(folder / 'whole1.py'))
    with pytest.raises(FileNotFoundError, match=r"from which .*child.* 'whole\.py'"):
        load_config(str(folder / 'child.py'))
    with pytest.raises(FileNotFoundError, match=r'fitnet\.py'):
        load_config('mmkd::fitnet.py')


def test_what_is_no_config(folder: Path) -> None:
    (folder / 'notes.txt').write_text(MODEL)
    (folder / 'cut.json').write_text('{"model": ')
    (folder / 'cut.yaml').write_text('model: [')
    for name in ('cut.json', 'cut.yaml'):
        with pytest.raises(ConfigError, match=rf'{name}: \w+Error'):
            load_config(str(folder / name))
    (folder / 'bare.py').write_text('a = 1\n')
    with pytest.raises(ConfigError, match='is a folder'):
        load_config(str(folder))
    with pytest.raises(ConfigError, match=r'must end with \.py'):
        load_config(str(folder / 'notes.txt'))
    with pytest.raises(ValueError, match=r'bare\.py has no model'):
        load_config(str(folder / 'bare.py'))


def test_a_base_of_two_is_no_circle(folder: Path) -> None:
    (folder / 'a.py').write_text("_base_ = 'whole.py'\na = 1")
    (folder / 'b.json').write_text('{"_base_": "whole.py", "b": 2}')
    (folder / 'c.py').write_text("_base_ = ['a.py', 'b.json']")
    names = [path.name for path in files_of(folder / 'c.py')]
    assert names == ['c.py', 'a.py', 'whole.py', 'b.json', 'whole.py']


@pytest.mark.parametrize(
    'base',
    ['{{ fileDirname }}/whole.py', '{{$WHERE:.}}/whole.py', '{{$NAME:whole}}.py'],
)
def test_bases_with_variables(
    base: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / 'child.py').write_text(f'_base_ = {base!r}\n')
    (folder / 'grandchild.json').write_text(
        '{"_base_": "child.py", "same": {{_base_.model}}}'
    )
    for place in (folder, folder.parent):
        monkeypatch.chdir(place)
        path = (folder / 'grandchild.json').relative_to(place)
        assert load_config(str(path)).same.type == 'A'
        names = [file.name for file in files_of(path)]
        assert names == ['grandchild.json', 'child.py', 'whole.py']
