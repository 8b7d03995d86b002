"""The figure, drawn from constructed curves."""

from pathlib import Path

import cv2

from mmkd.analysis.collapse_picture import BOTH, draw, panels
from mmkd.analysis.four_settings import SETTINGS
from mmkd.analysis.pictures import save


def curves(seed: int, both: bool) -> dict[str, dict[int, float]]:
    keys = [panel.key for panel in panels('mIoU') if both or 'grad' not in panel.key]
    return {key: {s: 1.0 + s + seed for s in range(1, 4)} for key in keys}


def test_every_panel_has_a_line_and_a_band_for_each_setting(tmp_path: Path) -> None:
    runs = {name: [curves(s, name in BOTH) for s in (0, 2)] for name in SETTINGS}
    figure = draw(runs, 'mIoU', 'made', 'epoch')
    for panel, axes in zip(panels('mIoU'), figure.axes, strict=True):
        lines = axes.lines[panel.zero :]
        assert len(lines) == len(axes.collections) == len(panel.settings)
        assert list(lines[0].get_ydata()) == [3.0, 4.0, 5.0]
        edges = axes.collections[0].get_paths()[0].vertices[:, 1]
        assert (edges.min(), edges.max()) == (2.0, 6.0)
    save(figure, tmp_path / 'new' / 'picture.png')
    assert cv2.imread(str(tmp_path / 'new' / 'picture.png')).std() > 5
    save(figure, tmp_path / 'picture.svg')
    assert '<svg' in (tmp_path / 'picture.svg').read_text()


def test_a_setting_that_was_not_run_is_left_out() -> None:
    runs = {name: [curves(0, True)] if name == 'one_head' else [] for name in SETTINGS}
    figure = draw(runs, 'mIoU', 'made', 'epoch')
    assert [len(axes.collections) for axes in figure.axes] == [1] * 8
    [legend] = figure.legends
    assert [text.get_text() for text in legend.texts] == [SETTINGS['one_head']]
