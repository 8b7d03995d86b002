from collections.abc import Callable
from pathlib import Path

import pytest

NAME = 'default_hooks__checkpoint__filename_tmpl'


@pytest.mark.parametrize(
    'name',
    ['last.pth', '{}_{}.pth', 'it_{x}.pth', 'a/b_{}.pth', 'best_{}.pth', 'it_{}.pt'],
)
def test_checkpoints_have_names_of_their_own(
    check: Callable[..., None], name: str
) -> None:
    with pytest.raises(ValueError, match=r'checkpoint\.filename_tmpl must be'):
        check(**{NAME: name})


@pytest.mark.parametrize('name', ['it_{}.pth', 'epoch_{:03d}.pth'])
def test_names_with_a_number(check: Callable[..., None], name: str) -> None:
    check(**{NAME: name})


def test_a_folder_that_cannot_be_made_is_said_before_the_training(
    check: Callable[..., None], tmp_path: Path
) -> None:
    (tmp_path / 'file').touch()
    place = dict(default_hooks__logger__out_dir=str(tmp_path / 'file' / 'logs'))
    with pytest.raises(OSError, match=r'logger\.out_dir: cannot create the folder'):
        check(**place)
    check(default_hooks__logger__out_dir=str(tmp_path / 'logs'))
