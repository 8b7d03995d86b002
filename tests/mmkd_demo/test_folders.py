from pathlib import Path

import numpy as np
import pytest

from mmkd_demo.folders import save_image, write_once


def fill(folder: Path) -> None:
    (folder / 'image').write_text('new')


def test_writing_that_was_cut_short_is_done_anew(tmp_path: Path) -> None:
    def stop(folder: Path) -> None:
        (folder / 'half').touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_once(tmp_path / 'data', {'count': 1}, stop)
    assert write_once(tmp_path / 'data', {'count': 1}, fill)
    assert (tmp_path / 'data/image').read_text() == 'new'
    assert not (tmp_path / 'data/half').exists()


def test_files_of_others_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / 'mine').touch()
    with pytest.raises(ValueError, match='has other files'):
        write_once(tmp_path, {'count': 1}, fill)
    assert (tmp_path / 'mine').exists()


def test_image_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / 'image.png').mkdir()
    with pytest.raises(OSError, match=r'image\.png'):
        save_image(tmp_path / 'image.png', np.zeros((2, 2, 3), np.uint8))
