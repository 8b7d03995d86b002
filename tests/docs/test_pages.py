"""The commands and snippets of the pages, in their order, on networks made small."""

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import crd_layouts
import cv2
import pytest
import torch
from deployed import looks_trained
from in_process import TOOLS, in_this_process, run_program
from mmengine.config import Config
from mmengine.runner import Runner
from noise_data import (
    noise,
    write_cifar,
    write_cityscapes,
    write_folders,
    write_imagenet,
)
from shrunk import Teachers, give_teacher, shrink

from mmkd.cli import comparison
from mmkd.cli.main import COMMANDS
from mmkd.models import build_model
from mmkd.models.build import model_dict

__all__ = ['in_this_process']

pytestmark = pytest.mark.check

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r'^```(bash|python)\n(.*?)^```', re.S | re.M)

FILES = {
    'README.md': ['pair.py', 'streets.py', 'field.py', 'second.py'],
    'docs/analysis.md': ['tin100_in_memory.py'],
    'docs/coming_from.md': ['cwd.py'],
    'docs/compare.md': ['variants.py'],
    'docs/deploy.md': [],
    'docs/methods.md': [],
    'docs/no_gain.md': ['conflict.py'],
    'docs/own_pair.md': ['student.py', 'teacher.py', 'pair.py'],
    'docs/record.md': [],
    'docs/report.md': [],
}
"""What the configs of a page are called, by the pages whose commands are run here."""

ELSEWHERE = {
    'CONTRIBUTING.md': 'sets up a clone',
    'docs/add_a_method.md': 'tests/models/methods',
    'docs/data.md': 'downloads; tests/tools/test_camvid.py and test_tiny_imagenet.py',
    'docs/install.md': 'tests/test_package.py',
    'docs/performance.md': 'make bench; tests/configs/test_readme.py reads the rest',
    'docs/results.md': 'hours; tests/configs/test_readme.py reads them',
    'docs/several_machines.md': 'tests/tools',
}
"""Pages whose commands are not run here, and why or where they are."""

CAMVID = 'deeplabv3-w48_deeplabv3-w16_camvid'

BEFORE = {
    'docs/analysis.md': 'mmkd train mmkd::teachers/deeplabv3-w48_camvid.py '
    '--data-root DIR',
    'docs/no_gain.md': 'mmkd compare PAIR --method none kd --seeds 2 --data-root DIR '
    '--out work_dirs/compare',
    'docs/report.md': 'mmkd train deeplabv3_r18_cityscapes --method kd',
}
"""What the reader has run already, by the page."""

MEANT = {
    r'\bDIR\b': 'data/all',
    r'\bPAIR\b': 'resnet20_resnet8_tin100',
    r'\bCONFIG CHECKPOINT\b': f'{CAMVID} student.pth',
    r'--seeds [3-9]': '--seeds 2',
    r'mmkd profile': 'mmkd profile --seconds 1',
    r'mmkd (demo|analyse collapse)\b': r'mmkd \1 --jobs 1',
}
"""What stands here for what the reader is to put in, and what takes long."""

SHELL = """
mmkd() { ask mmkd "$@"; }
python() { ask python "$@"; }
parallel() { while read -r _ line; do eval "ask python $line" || return; done; }
bash() {
    local program=${1/dist_/}
    ask python "${program/.sh/.py}" "$2" "${@:4}"
}
make() { :; }
pip() { :; }
source() { :; }
ask() {
    printf '%s\\0' "$@" > asked
    local code
    read -r code < answered
    cat said
    return "$code"
}
"""
"""Commands are handed to the process of the tests.

What starts several processes starts one, and a new environment is not made.
"""


class Page:
    """A page, whose commands are run in the folder that one is in.

    Args:
        name: Its file in the repository.
    """

    def __init__(self, name: str) -> None:
        text = (ROOT / name).read_text(encoding='utf-8')
        if name in BEFORE:
            text = f'```bash\n{BEFORE[name]}\n```\n{text}'
        for pattern, value in MEANT.items():
            text = re.sub(pattern, value, text)
        self.checkpoints = [
            Path(folder, file)
            for folder, file in re.findall(r'(work_dirs/\S+)/(\w+_\d+\.pth)', text)
        ]
        self.blocks: list[tuple[str, str]] = BLOCK.findall(text)
        self.asked: list[list[str]] = []

    def write_configs(self, names: list[str]) -> None:
        texts = [text for kind, text in self.blocks if is_config(kind, text)]
        for name, text in zip(names, texts, strict=True):
            Path(name).write_text(text)

    def run(self) -> None:
        for kind, text in self.blocks:
            if kind == 'bash':
                self.run_commands(text)
            elif not is_config(kind, text):
                exec(compile(text, '<page>', 'exec'), {})

    def run_commands(self, text: str) -> None:
        """Let a shell read the commands, and run those of mmkd in this process."""
        for pipe in ('asked', 'answered'):
            os.mkfifo(pipe)
        text = f'trap "printf end > asked" EXIT\n{SHELL}\n{text}'
        shell = subprocess.Popen(['bash', '-e', '-o', 'pipefail', '-c', text])
        try:
            while (asked := Path('asked').read_text()) not in ('', 'end'):
                with open('said', 'w') as said, redirect_stdout(said):
                    self.run_command(asked.removesuffix('\0').split('\0'))
                Path('answered').write_text('0\n')
            assert shell.wait(10) == 0, text
        finally:
            shell.kill()
            for pipe in ('asked', 'answered'):
                Path(pipe).unlink()

    def run_command(self, command: list[str]) -> None:
        self.asked.append(command)
        program, *rest = command
        if program == 'mmkd':
            words = 2 if ' '.join(rest[:2]) in COMMANDS else 1
            run_program(TOOLS / COMMANDS[' '.join(rest[:words])], *rest[words:])
        else:
            run_program(Path(ROOT, rest[0]), *rest[1:])
        # Shortened, a training ends with another number than the page's.
        for file in self.checkpoints:
            last = file.parent / 'last_checkpoint'
            if last.exists() and not file.exists():
                file.symlink_to(Path(last.read_text().strip()).name)


def is_config(kind: str, text: str) -> bool:
    return kind == 'python' and text.startswith(('_base_', 'model =', 'default_hooks'))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder outside the clone with data, to work in."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'data').mkdir()
    for name in ('cifar100', 'tin100'):
        write_cifar(tmp_path / 'data' / name)
    write_imagenet(tmp_path / 'data/imagenet')
    write_cityscapes(tmp_path / 'data/cityscapes')
    write_cityscapes(tmp_path / 'data/camvid', classes=11)
    # Any page's DIR.
    write_cityscapes(tmp_path / 'data/all', classes=11)
    write_cifar(tmp_path / 'data/all', classes=4)
    write_folders(tmp_path / 'data/field')
    cv2.imwrite('street.png', noise(64, 96, 3))
    return tmp_path


@pytest.fixture(autouse=True)
def _small(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Networks, data and trainings are small, teachers that are not there random."""
    teachers = Teachers(tmp_path_factory.mktemp('teachers'))
    plain: Any = Runner.from_cfg

    def from_cfg(cfg: Config) -> Runner:
        shrink(cfg)
        teacher = cfg.model.get('teacher', {})
        if 'config' in teacher and not Path(str(teacher.get('checkpoint'))).is_file():
            give_teacher(cfg, teachers)
        runner: Runner = plain(cfg)
        return runner

    monkeypatch.setattr(Runner, 'from_cfg', from_cfg)
    monkeypatch.setattr(comparison, 'check_file', lambda _: None)
    monkeypatch.setattr(Config, 'pretty_text', property(plain_text))


def plain_text(cfg: Config) -> str:
    """A config as text that takes no time to be laid out."""
    return '\n'.join(f'{key} = {value!r}' for key, value in cfg.to_dict().items())


def write_weights() -> None:
    """Teacher and student whole, for what makes nothing small."""
    teacher = Path('work_dirs/deeplabv3-w48_camvid/iter_4000.pth')
    teacher.parent.mkdir(parents=True)
    for file, name in (
        (teacher, 'teachers/deeplabv3-w48_camvid'),
        (Path('student.pth'), 'students/deeplabv3-w16_camvid'),
    ):
        model = looks_trained(build_model(model_dict(f'mmkd::{name}.py')))
        torch.save(model.state_dict(), file)


def write_published_weights() -> None:
    """What RepDistiller saved."""
    torch.save({'model': crd_layouts.weights('resnet32x4')}, 'ckpt_epoch_240.pth')


def write_own_configs() -> None:
    """Student and teacher for the same data."""
    for file, name in (
        ('student.py', 'students/deeplabv3-w16_camvid'),
        ('teacher.py', 'teachers/deeplabv3-w48_camvid'),
    ):
        Path(file).write_text(f"_base_ = 'mmkd::{name}.py'")


WRITE = {
    'README.md': write_own_configs,
    'docs/deploy.md': write_weights,
    'docs/coming_from.md': write_published_weights,
}
"""What makes the files that the reader has, by the page."""


def pages() -> Iterator[str]:
    for path in (*ROOT.glob('*.md'), *ROOT.glob('docs/*.md')):
        if BLOCK.search(path.read_text(encoding='utf-8')):
            yield str(path.relative_to(ROOT))


def test_every_page_is_run_here_or_said_to_be_elsewhere() -> None:
    assert set(pages()) == {*FILES, *ELSEWHERE}


@pytest.mark.parametrize('name', FILES)
def test_the_page_does_what_it_says(
    name: str, folder: Path, in_this_process: list[str]
) -> None:
    if name in WRITE:
        WRITE[name]()
    page = Page(name)
    page.write_configs(FILES[name])
    page.run()
    assert page.asked
