import json
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest
from matplotlib.axes import Axes


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


def test_labels_may_begin_with_an_underscore(
    run_tool: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_log(tmp_path / 'a', '1', {10: 1.0, 20: 2.0})
    legend, told = Axes.legend, []

    def noted(*given: object) -> object:
        told.extend(text.get_text() for text in legend(*given).texts)

    monkeypatch.setattr(Axes, 'legend', noted)
    run_tool('plot_curves.py', '_x=a', 'y=a', 'a', '--out', tmp_path / 'curves.png')
    assert told == ['_x (1)', 'y (1)', 'a (1)']


def test_missing_value(run_tool: Callable[..., None], tmp_path: Path) -> None:
    write_log(tmp_path / 'a', '1', {10: 1.0})
    with pytest.raises(SystemExit, match="no log under a has 'aAcc'"):
        run_tool('plot_curves.py', 'x=a', '--key', 'aAcc', '--out', tmp_path / 'c.png')
    for folder in ('x=nowhere', 'nowhere'):
        with pytest.raises(SystemExit, match='nowhere: there is no such folder'):
            run_tool('plot_curves.py', folder, '--out', tmp_path / 'c.png')


def test_nothing_but_infinite_values(
    run_tool: Callable[..., None], tmp_path: Path
) -> None:
    write_log(tmp_path / 'a', '1', {10: float('nan'), 20: float('inf')})
    with pytest.raises(SystemExit, match="no value of 'mIoU' under a is finite"):
        run_tool('plot_curves.py', 'x=a', '--out', tmp_path / 'c.png')


def test_a_line_that_a_kill_cut_off(
    run_tool: Callable[..., None], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    write_log(tmp_path / 'a', '1', {10: 1.0, 20: 2.0})
    write_log(tmp_path / 'a', '2', {30: 3.0})
    log = tmp_path / 'a' / '1' / 'vis_data' / 'scalars.json'
    whole = log.read_bytes()
    log.write_bytes(whole + '\n{"mIoU": 5.0, "näme'.encode()[:-3])
    run_tool('plot_curves.py', 'x=a', '--out', tmp_path / 'c.png')
    assert 'a/1/vis_data/scalars.json: the last line is cut' in capsys.readouterr().err
    log.write_bytes(b'{"mIoU": 5.\n' + whole)
    with pytest.raises(SystemExit, match=r'scalars\.json, line 1 is not JSON'):
        run_tool('plot_curves.py', 'x=a', '--out', tmp_path / 'c.png')
