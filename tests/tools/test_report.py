import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from browser import browser, find_browser
from made_runs import made_run, save_student, street_parts, write_session
from tiny_models import Tiny, tiny

from mmkd.models import build_model

__all__ = ['tiny']

KD = {'kd': dict(type='LogitsKD', weight=0.5)}
SCORES = {25: 10.0, 50: 20.0, 75: 30.0, 100: 40.0}
SCRIPT = '<script>alert(1)</script>&"\''

Report = Callable[..., str]


@pytest.fixture
def report(run_tool: Callable[..., None], tmp_path: Path) -> Report:
    def make(*runs: object, images: int = 0) -> str:
        out = tmp_path / 'out' / 'page.html'
        run_tool('report.py', *runs, '--out', out, '--images', images)
        return out.read_text()

    return make


def test_a_page_of_groups(report: Report, tmp_path: Path) -> None:
    for seed in range(3):
        made_run(tmp_path / f'alone{seed}', SCORES, seed=seed)
        better = {step: score + 2 for step, score in SCORES.items()}
        made_run(tmp_path / f'kd{seed}', better, KD, seed)
    page = report(*sorted(tmp_path.glob('*[0-9]')))
    assert 'gains 2.0 [2.0, 2.0] over three seeds' in page
    assert 'still rising at the end' in page
    assert 'methods.<wbr>kd.<wbr>weight' in page
    assert page.count('<figure>') == 3
    assert 'http' not in page.replace('http://www.w3.org', '')


@pytest.mark.parametrize('key', ['accuracy/top1', 'multi-label/mAP', 'x/y'])
def test_other_scores(report: Report, tmp_path: Path, key: str) -> None:
    made_run(tmp_path / 'a', SCORES, key=key)
    assert '<b>40.00</b>' in report('a')


def test_scores_are_counted_as_their_own_runs_count_them(
    report: Report, tmp_path: Path
) -> None:
    epochs = dict(max_epochs=100)
    made_run(tmp_path / 'a', SCORES, key='accuracy/top1', train_cfg=epochs)
    made_run(tmp_path / 'b', SCORES)
    page = report('a', 'b')
    assert 'top-1 accuracy by epoch' in page
    assert 'mIoU by iteration' in page


def test_a_run_without_scores(report: Report, tmp_path: Path) -> None:
    made_run(tmp_path / 'a', methods=KD)
    assert 'No run has logged a score' in report('a')


def test_a_run_that_has_only_begun(report: Report, tmp_path: Path) -> None:
    made_run(tmp_path / 'a', methods=KD, train={})
    assert '(0 of 100 iterations)' in report('a')


def test_a_run_without_a_config(report: Report, tmp_path: Path) -> None:
    write_session(tmp_path / 'a', val={1: {'mIoU': 3.0}})
    assert '<b>3.00</b>' in report('a')


def test_folders_of_one_name_are_told_apart(report: Report, tmp_path: Path) -> None:
    for parent in 'ab':
        write_session(tmp_path / parent / 'run', val={1: {'mIoU': 3.0}})
    assert '<h1>2 runs: a/run, b/run</h1>' in report('a/run', 'b/run')


def test_a_run_that_is_named_twice_counts_once(report: Report, tmp_path: Path) -> None:
    made_run(tmp_path / 'a', SCORES)
    assert report('a', tmp_path / 'a').count('<td>finished</td>') == 1


def test_a_run_that_has_logged_nothing_does_not_end_the_others(
    report: Report, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made_run(tmp_path / 'a', SCORES)
    (tmp_path / 'b').mkdir()
    (tmp_path / 'c').mkdir()
    assert '<b>40.00</b>' in report('a', 'b')
    assert 'left out: b holds no log' in capsys.readouterr().err
    with pytest.raises(SystemExit, match='none of the 2 folders has a log'):
        report('b', 'c')
    with pytest.raises(SystemExit, match='d: there is no such folder'):
        report('a', 'd')


def test_all_that_a_comparison_leaves_can_be_named(
    report: Report, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made_run(tmp_path / 'a', SCORES)
    (tmp_path / 'table.md').touch()
    assert report('a', 'table.md').count('<td>finished</td>') == 1
    assert 'left out: table.md: is a file' in capsys.readouterr().err
    with pytest.raises(SystemExit, match=r'table\.md: is a file'):
        report('table.md')


def test_what_runs_say_is_text(report: Report, tmp_path: Path) -> None:
    bad = {'kd<script>&': dict(type='LogitsKD', note=SCRIPT)}
    train = {step: {'loss': 1.0, f'loss{SCRIPT}': 1.0} for step in (50, 100)}
    folder = tmp_path / '<img src=x onerror=alert(1)>'
    made_run(folder, SCORES, bad, train=train, key=f'score{SCRIPT}')
    made_run(tmp_path / 'b', SCORES, KD)
    page = report(folder, 'b')
    assert '<script' not in page
    assert '<img' not in page


@pytest.mark.parametrize('bad', ['nowhere', 'broken'])
def test_what_is_wrong_is_one_line(report: Report, tmp_path: Path, bad: str) -> None:
    made_run(tmp_path / 'good', SCORES)
    log = write_session(tmp_path / 'broken')
    log.write_text('{"loss"\n{"loss": 1, "step": 1}\n')
    with pytest.raises(SystemExit) as end:
        report('good', bad)
    message = str(end.value)
    assert message.startswith(f'report.py: {bad}')
    assert '\n' not in message


def test_warnings_of_libraries_are_not_shown(
    report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def warn(*_: object) -> None:
        warnings.warn('of a library', stacklevel=1)
        raise ValueError('it cannot be built')

    monkeypatch.setattr('mmkd.report.seen.look.student_of', warn)
    made_run(tmp_path / 'a', SCORES)
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter('always')
        assert 'it cannot be built' in report('a', images=1)
    assert 'of a library' not in [str(each.message) for each in shown]


def test_a_training_of_the_tools(
    report: Report, run_tool: Callable[..., None], streets: Path, tmp_path: Path
) -> None:
    weights = build_model('mmkd::teachers/deeplabv3-w48_camvid.py').state_dict()
    torch.save(weights, tmp_path / 'teacher.pth')
    run_tool(
        'train.py',
        *('deeplabv3-w48_deeplabv3-w16_camvid', '--method', 'kd'),
        *('--data-root', streets, '--teacher', tmp_path / 'teacher.pth'),
        *('--no-teacher-check', '--work-dir', tmp_path / 'run', '--cfg-options'),
        *('train_cfg.max_iters=2', 'train_cfg.val_interval=2'),
        *('train_dataloader.batch_size=2', 'default_hooks.logger.interval=1'),
        *(
            f'{split}_dataloader.{key}'
            for split in ('train', 'val')
            for key in ('num_workers=0', 'persistent_workers=False')
        ),
    )
    page = report('run', images=2)
    for part in (
        '<td>kd (LogitsKD)</td>',
        '<figcaption>distill.kd.loss</figcaption>',
        '<td>finished</td>',
        'On 2 of 4 validation images, mIoU: teacher <b>',
    ):
        assert part in ' '.join(page.split())
    assert page.count('<img ') == 2 * 5


OVERFLOW = 'document.documentElement.scrollWidth > document.documentElement.clientWidth'
DRAWN = """[...document.querySelectorAll('figure svg, img')].every(each =>
    each.getBoundingClientRect().width > 50 && each.naturalWidth !== 0)"""


@pytest.mark.skipif(find_browser() is None, reason='no Chromium or Chrome is installed')
def test_a_browser_shows_it(
    report: Report, tmp_path: Path, tiny: Tiny, streets: Path
) -> None:
    parts = street_parts(tiny, streets)
    long = {'kd' * 50: dict(KD['kd'], note='long' * 50)}
    for seed in range(2):
        made_run(tmp_path / f'alone{seed}', SCORES, seed=seed, **parts)
        made_run(tmp_path / f'kd{seed}', SCORES, long, seed, **parts)
        for run in (tmp_path / f'alone{seed}', tmp_path / f'kd{seed}'):
            save_student(run)
    report(*sorted(tmp_path.glob('*[0-9]')), images=4)
    page = tmp_path / 'out' / 'page.html'
    with browser(tmp_path / 'profile') as tab:
        for width, dark in ((400, False), (1400, True)):
            tab.open(page, width, dark)
            assert not tab.value(OVERFLOW)
            assert tab.value('document.querySelectorAll("figure svg").length') == 3
            # Four images, each with ground truth, two networks, and the changes.
            assert tab.value('document.images.length') == 4 * 5
            assert tab.value(DRAWN)
            tab.picture(tmp_path / 'page.png')
            assert (tmp_path / 'page.png').stat().st_size > 10_000
        assert tab.complaints == []
