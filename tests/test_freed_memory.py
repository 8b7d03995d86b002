"""Freed memory is reused for the next tensor in processes with the GNU C library."""

import platform

import pytest
from fresh_python import run_python

from mmkd import freed_memory
from mmkd.freed_memory import keep_freed_memory

FAULTS = """
import resource, torch
from mmkd.freed_memory import keep_freed_memory
keep_freed_memory()

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def step():
    tensors = [torch.ones(7_000_000) for _ in range(6)]

for _ in range(5):
    step()
begin = faults()
for _ in range(10):
    step()
print(faults() - begin)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != 'glibc', reason='of the GNU C library')
def test_a_step_gets_the_memory_that_the_last_one_freed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in freed_memory.TUNED_BY:
        monkeypatch.delenv(name, raising=False)
    process = run_python(FAULTS)
    assert process.returncode == 0, process.stderr
    pages = 10 * 6 * 4 * 7_000_000 // 4096
    assert int(process.stdout) < pages / 20


@pytest.mark.parametrize('error', [AttributeError, OSError, TypeError])
def test_another_system_is_left_as_it_is(
    monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    asked = []

    def missing(name: None) -> None:
        asked.append(name)
        raise error

    for name in freed_memory.TUNED_BY:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(freed_memory.ctypes, 'CDLL', missing)
    keep_freed_memory()
    assert asked == [None]


@pytest.mark.parametrize('name', freed_memory.TUNED_BY)
def test_what_the_environment_chooses_stays(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, '1')
    monkeypatch.setattr(freed_memory.ctypes, 'CDLL', None)
    keep_freed_memory()
