"""Source distribution and wheel, installed where the clone is not visible."""

import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from mmengine.config import Config
from modelindex.load_model_index import load

import mmkd
from mmkd.cli.main import COMMANDS

ROOT = Path(__file__).parents[1]
NAME = f'mmkd-{mmkd.__version__}'
UNPACKED = ('PKG-INFO', 'setup.cfg', 'mmkd.egg-info')
"""What setuptools adds to the sources."""

Run = Callable[..., str]


def build(kind: str, source: Path, folder: Path) -> Path:
    """Build with the installed packages, without downloads."""
    hook = f'from setuptools.build_meta import *; build_{kind}({str(folder)!r})'
    done = subprocess.run(
        [sys.executable, '-c', hook], cwd=source, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    [made] = folder.glob(f'{NAME}*')
    return made


def tracked() -> list[str]:
    """The files of the clone, which may have uncommitted changes."""
    command = ['git', '-C', ROOT, 'ls-files', '-co', '--exclude-standard']
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        pytest.skip('not a clone')
    return [name for name in done.stdout.splitlines() if (ROOT / name).exists()]


@pytest.fixture(scope='module')
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the clone, because builds leave files in it."""
    folder = tmp_path_factory.mktemp('clone')
    for name in tracked():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_symlink():
            (folder / name).symlink_to((ROOT / name).readlink())
        else:
            (folder / name).write_bytes((ROOT / name).read_bytes())
    return folder


@pytest.fixture(scope='module')
def sources(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked source distribution."""
    folder = tmp_path_factory.mktemp('sources')
    with tarfile.open(build('sdist', clone, folder)) as archive:
        archive.extractall(folder, filter='data')
    return folder / NAME


@pytest.fixture(scope='module')
def wheel(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the source distribution."""
    return build('wheel', sources, tmp_path_factory.mktemp('wheel'))


@pytest.fixture(scope='module')
def run(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run a command of an environment with the stack and the wheel, in its folder."""
    folder = tmp_path_factory.mktemp('environment')
    venv.create(folder, with_pip=False)
    base = {'base': folder, 'platbase': folder}
    packages = Path(sysconfig.get_path('purelib', vars=base))
    # Its editable mmkd stays behind: only a site folder's own .pth files are read.
    (packages / 'stack.pth').write_text(sysconfig.get_path('purelib'))
    install = [sys.executable, '-m', 'pip', '--python', folder / 'bin' / 'python']
    install += ['install', '--quiet', '--no-deps', '--ignore-installed', wheel]
    subprocess.run(install, check=True)
    empty = tmp_path_factory.mktemp('empty')
    environment = {k: v for k, v in os.environ.items() if k != 'PYTHONPATH'}
    environment |= {'OMP_NUM_THREADS': '1', 'MMCV_WITH_OPS': '0'}

    def run(*command: str, code: int = 0) -> str:
        done = subprocess.run(
            [folder / 'bin' / command[0], *command[1:]],
            cwd=empty,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert done.returncode == code, done.stdout
        return done.stdout

    return run


@pytest.mark.check
def test_the_sources_are_complete(sources: Path) -> None:
    there = {
        str(path.relative_to(sources))
        for path in sources.rglob('*')
        if path.is_file() and path.relative_to(sources).parts[0] not in UNPACKED
    }
    # Links were replaced by their targets.
    assert {n for n in there if '/.mim/' not in n} == {
        name for name in tracked() if '/.mim/' not in name
    }


@pytest.mark.check
def test_a_wheel_of_the_clone_is_that_of_the_sources(
    clone: Path, wheel: Path, tmp_path: Path
) -> None:
    wheels = (wheel, build('wheel', clone, tmp_path))
    ours, theirs = (
        {each.filename: each.CRC for each in zipfile.ZipFile(path).infolist()}
        for path in wheels
    )
    assert ours == theirs


@pytest.mark.check
def test_the_wheel_holds_what_mim_and_type_checkers_look_for(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder in ('configs', 'tools'):
        files = {n for n in tracked() if n.startswith(f'{folder}/')}
        assert {f'mmkd/.mim/{name}' for name in files} <= names
    assert {'mmkd/.mim/model-index.yml', 'mmkd/py.typed'} <= names
    assert not [name for name in names if name.startswith('tests')]


def test_the_index_of_models_is_read() -> None:
    index = load(str(ROOT / 'model-index.yml'))
    for model in index.models:
        assert Config.fromfile(ROOT / model.config).model


@pytest.mark.check
def test_every_command_explains_itself(run: Run) -> None:
    assert mmkd.__version__ in run('mmkd', '--version')
    for name in COMMANDS:
        assert f'\n    mmkd {name} ' in run('mmkd', *name.split(), '--help')


@pytest.mark.check
def test_an_empty_folder_is_enough(run: Run) -> None:
    """The demo, then training, test and report with a user's own config."""
    where = run('python', '-c', 'import mmkd, os; print(os.getcwd(), mmkd.__file__)')
    empty, file = where.split()
    assert 'site-packages' in file
    assert not list(Path(empty).iterdir())

    demo = run('mmkd', 'demo', '--task', 'classification', '--seeds', '1')
    assert '- dhkd: not shown' in demo
    assert 'picture.png' in demo

    base = "_base_ = 'mmkd::demo/classification/dhkd.py'"
    Path(empty, 'own.py').write_text(f'{base}\ntrain_cfg = dict(max_epochs=1)\n')
    assert 'Epoch(val)' in run('mmkd', 'train', 'own.py')
    student = 'work_dirs/own/student'
    out = run('mmkd', 'test', f'{student}.py', f'{student}.pth')
    assert 'accuracy/top1' in out
    run('mmkd', 'report', 'work_dirs/own')
    assert Path(empty, 'report.html').exists()


@pytest.mark.check
@pytest.mark.parametrize(
    'named',
    [
        ('mmkd::dhkd/deeplabv3_r18_cityscapes.py',),
        ('deeplabv3_r18_cityscapes', '--method', 'kd', 'cwd'),
        ('pair.py', '--method', 'mhkd'),
    ],
)
def test_published_experiments_are_found(run: Run, named: tuple[str, ...]) -> None:
    pair = "_base_ = 'mmkd::_base_/pairs/deeplabv3_r18_cityscapes.py'"
    run('python', '-c', f'open("pair.py", "w").write({pair!r})')
    out = run('mmkd', 'train', *named, '--data-root', 'nowhere', code=1)
    assert 'nowhere' in out.splitlines()[-1]
