import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mmengine.runner import Runner
from noise_data import write_folders

from mmkd.cli import recording, training
from mmkd.cli.main import COMMANDS
from mmkd.config.experiments import load_config, set_methods

ROOT = Path(__file__).parents[2]
SHOWN = ('mmkd train ', 'mmkd record ', 'python tools/train.py ')
README = (ROOT / 'README.md').read_text()
[PAIR, STREETS, FOLDERS, SECOND] = (
    block
    for block in re.findall(r'```python\n(.*?)```', README, re.S)
    if block.startswith(('_base_', 'model = dict('))
)

RESULTS = (ROOT / 'docs/results.md').read_text()
[ABLATION] = re.findall(r'```python\n(.*?)```', RESULTS, re.S)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory outside the clone."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def train_child(text: str, train: Callable[..., Runner]) -> Runner:
    assert len(text.splitlines()) <= 10
    Path('child.py').write_text(text)
    runner = train(load_config('child.py'))
    assert runner.iter == 2
    assert 'val/mIoU' in runner.message_hub.log_scalars
    return runner


def classes_of(runner: Runner) -> set[int]:
    """Numbers of classes of models and data sets."""
    model = runner.model
    loaders = runner.train_dataloader, runner.val_dataloader
    return {
        model.student_view.num_classes,
        model.auxiliary_head.num_classes,
        model.teacher.view.num_classes,
        *(len(loader.dataset.metainfo['classes']) for loader in loaders),
    }


@pytest.mark.parametrize(
    ('kind', 'data', 'student', 'teacher'),
    [
        (
            *('mmseg', 'CityscapesDataset'),
            'fcn/fcn_r18-d8_4xb2-80k_cityscapes-512x1024.py',
            'pspnet/pspnet_r50-d8_4xb2-40k_cityscapes-512x1024.py',
        ),
        (
            *('mmpretrain', 'ImageNet'),
            'mobilenet_v2/mobilenet-v2_8xb32_in1k.py',
            'resnet/resnet34_8xb32_in1k.py',
        ),
    ],
)
def test_two_configs_make_a_pair(
    kind: str,
    data: str,
    student: str,
    teacher: str,
    folder: Path,
    trained: Callable[..., Runner],
    data_roots: dict[str, Path],
) -> None:
    for name, base in (('student', student), ('teacher', teacher)):
        (folder / f'{name}.py').write_text(f"_base_ = '{kind}::{base}'")
    (folder / 'pair.py').write_text(PAIR)
    cfg = load_config('pair.py')
    set_methods(cfg, ['dhkd'])
    runner = trained(cfg, data_roots[data])
    logged = runner.message_hub.log_scalars
    assert logged['train/distill.dual_head.loss'].current() > 0
    assert [name for name in logged if name.startswith('val/')]


def test_child_config_trains_on_other_data(
    folder: Path, trained: Callable[..., Runner], data_roots: dict[str, Path]
) -> None:
    data_root = folder / 'data/camvid'
    data_root.parent.mkdir()
    data_root.symlink_to(data_roots['CityscapesDataset'])
    runner = train_child(STREETS, trained)
    assert classes_of(runner) == {11}
    assert runner.model.methods['dual_head'].weight == 0.5
    for dataset in (runner.train_dataloader.dataset, runner.val_dataloader.dataset):
        assert Path(dataset.data_root).resolve() == data_root.resolve()


def test_child_config_trains_on_plain_folders(
    folder: Path, trained: Callable[..., Runner]
) -> None:
    write_folders(folder / 'data/field')
    runner = train_child(FOLDERS, trained)
    assert classes_of(runner) == {3}
    assert len(runner.train_dataloader.dataset) == 8
    assert len(runner.val_dataloader.dataset) == 4
    sample = runner.val_dataloader.dataset[0]['data_samples']
    assert sample.gt_sem_seg.data.unique().tolist() == [0, 1, 2]


def test_a_second_method_changes_no_other_weight(
    folder: Path, trained: Callable[..., Runner], data_roots: dict[str, Path]
) -> None:
    (folder / 'child.py').write_text(STREETS)
    (folder / 'second.py').write_text(f"_base_ = './child.py'\n{SECOND}")
    cfg = load_config('second.py')
    runner = trained(cfg, data_roots['CityscapesDataset'])
    weights = {name: part.weight for name, part in runner.model.methods.items()}
    assert weights == {'dual_head': 0.5, 'kd': 0.5}
    assert runner.model.task_weight == 1.0
    # The second method is in its warm-up, with some weight already.
    scalars = runner.message_hub.log_scalars
    assert 0 < scalars['train/kd_schedule_factor'].current() < 0.01


def commands() -> list[str]:
    """The trainings shown that name a config."""
    texts = [README, *(path.read_text() for path in sorted(ROOT.glob('*/*/README.md')))]
    texts += [path.read_text() for path in sorted(ROOT.glob('docs/*.md'))]
    lines = '\n'.join(texts).replace('\\\n', ' ').splitlines()
    shown = (line for line in lines if line.startswith(SHOWN))
    return [
        ' '.join(line.split())
        for line in dict.fromkeys(shown)
        if not re.search(r'METHOD|CONFIG| (pair|student|teacher)\.py', line)
    ]


@pytest.mark.parametrize('command', commands())
def test_shown_commands_are_understood(
    command: str,
    data_roots: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(ROOT)
    (tmp_path / 'ablation.py').write_text(ABLATION)
    command = command.replace(' ablation.py ', f' {tmp_path}/ablation.py ')
    _, program, *rest = shlex.split(command, comments=True)
    program = COMMANDS.get(program, program.removeprefix('tools/'))
    arguments = [program, *rest]
    if '--data-root' in arguments:
        place = arguments.index('--data-root') + 1
        arguments[place] = str(data_roots['CityscapesDataset'])
    monkeypatch.setattr(sys, 'argv', arguments)
    monkeypatch.delenv('LOCAL_RANK', raising=False)
    tool: Any = {'record.py': recording, 'train.py': training}[program]
    args = tool.parse_args()
    cfg = tool.merged_config(args)
    for name, value in (args.set or {}).items():
        method, setting = name.split('.', 1)
        found = cfg.model.methods[method]
        for key in setting.split('.'):
            found = found[key]
        assert found == value
    assert ('teacher' in cfg.model) == (
        'none' not in (args.method or [])
        and not re.search(r'students/|teachers/|/teacher\.py', args.config)
    )
