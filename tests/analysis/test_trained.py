"""Work directories, as the analyses label and read them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made_runs import settings, write_session

from mmkd.analysis.trained import labelled, trained
from mmkd.models import build_model


def test_labels() -> None:
    found = labelled(['work_dirs/a', 'the second=b/c'])
    assert found == {'a': Path('work_dirs/a'), 'the second': Path('b/c')}
    with pytest.raises(ValueError, match="x/a and y/a share the label 'a'"):
        labelled(['x/a', 'y/a'])


def test_a_folder_that_is_no_work_directory(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match='is not a work directory'):
        trained(tmp_path)


@pytest.mark.parametrize('loader', [{}, dict(val_dataloader=None)])
def test_a_training_without_validation(tmp_path: Path, loader: dict[str, Any]) -> None:
    write_session(tmp_path, config=settings(train_cfg=None, **loader))
    with pytest.raises(ValueError, match=f'{tmp_path.name} was trained without valid'):
        trained(tmp_path)


def test_classes_without_names_are_numbered(
    tiny: Any, task: str, trained_of: Callable
) -> None:
    for model in (build_model(tiny.model(task)), tiny.distiller(task)):
        run = trained_of(model, task)
        run.loader.dataset.metainfo = {}
        assert run.classes == ['0', '1', '2', '3']
