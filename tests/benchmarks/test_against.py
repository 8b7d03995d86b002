import sys

import pytest

from benchmarks import against


def test_without_mmrazor_one_line_says_so() -> None:
    with pytest.raises(ImportError, match="No module named 'mmrazor'") as caught:
        list(against.rows(sys.executable, rounds=1))
    assert str(caught.value).startswith(f'--against {sys.executable}: MMRazor')
    assert len(str(caught.value).splitlines()) == 1


def test_an_interpreter_that_is_not_there() -> None:
    with pytest.raises(ImportError, match='No such file'):
        list(against.rows('/no/python', rounds=1))
