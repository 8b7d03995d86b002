"""Work directories, as the analyses label and read them."""

from pathlib import Path

import pytest

from mmkd.analysis.trained import labelled, trained


def test_labels() -> None:
    found = labelled(['work_dirs/a', 'the second=b/c'])
    assert found == {'a': Path('work_dirs/a'), 'the second': Path('b/c')}
    with pytest.raises(ValueError, match="x/a and y/a share the label 'a'"):
        labelled(['x/a', 'y/a'])


def test_a_folder_that_is_no_work_directory(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match='is not a work directory'):
        trained(tmp_path)
