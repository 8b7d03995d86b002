import io
from types import SimpleNamespace

import pytest

from mmkd_demo.progress import ProgressHook


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def run(hook: ProgressHook, iterations: int) -> None:
    runner = SimpleNamespace(max_iters=iterations, iter=0)
    hook.before_train(runner)
    for runner.iter in range(iterations):
        hook.after_train_iter(runner, 0)
    hook.after_train(runner)


def test_lines_without_a_terminal_tell_how_far_it_is() -> None:
    stream = io.StringIO()
    run(ProgressHook('student', stream, interval=0.0), 3)
    lines = stream.getvalue().splitlines()
    assert [line.split(',')[0] for line in lines] == [
        'student: 1/3 iterations',
        'student: 2/3 iterations',
        'student: 3/3 iterations',
    ]
    assert lines[-1].endswith('0 s left')


def test_lines_keep_their_interval() -> None:
    stream = io.StringIO()
    run(ProgressHook('student', stream, interval=1000.0), 3)
    assert stream.getvalue() == ''


def test_terminal_gets_a_bar_and_the_cursor_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv('TERM', 'xterm')
    stream = Terminal()
    run(ProgressHook('student', stream), 3)
    assert 'student' in stream.getvalue()
    assert '3/3' in stream.getvalue()
    assert stream.getvalue().rindex('\x1b[?25h') > stream.getvalue().rindex('\x1b[?25l')
