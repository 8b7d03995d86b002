import json
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest


def write_log(work_dir: Path, session: str, values: dict[int, float]) -> None:
    folder = work_dir / session / 'vis_data'
    folder.mkdir(parents=True)
    lines = [json.dumps({'mIoU': v, 'step': s}) for s, v in values.items()]
    (folder / 'scalars.json').write_text('\n'.join([*lines, '{"loss": 1, "step": 7}']))


def test_picture(run_tool: Callable[..., None], tmp_path: Path) -> None:
    write_log(tmp_path / 'a', '1', {10: 1.0, 20: 2.0})
    write_log(tmp_path / 'a', '2', {30: 3.0})
    write_log(tmp_path / 'b', '1', {10: 2.0, 20: 3.0, 30: 5.0})
    run_tool('plot_curves.py', 'x=a', 'x=b', '--out', tmp_path / 'curves.png')
    picture = cv2.imread(str(tmp_path / 'curves.png'))
    assert picture.std() > 5


def test_missing_value(run_tool: Callable[..., None], tmp_path: Path) -> None:
    write_log(tmp_path / 'a', '1', {10: 1.0})
    with pytest.raises(ValueError, match="'aAcc'"):
        run_tool('plot_curves.py', 'x=a', '--key', 'aAcc', '--out', tmp_path / 'c.png')
