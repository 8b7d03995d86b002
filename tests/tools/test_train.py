import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.model import BaseModel

from mmkd.checkpoints.loading import safe_load
from mmkd.models import build_model
from mmkd.resilience.reading import CorruptSampleError
from mmkd.runs.training import DIVERGED

CONFIGS = Path(__file__).parents[2] / 'configs'
PAIR = CONFIGS / 'dhkd' / 'deeplabv3-w48_deeplabv3-w16_camvid.py'
STUDENT = CONFIGS / 'students' / 'deeplabv3-w16_camvid.py'
TEACHER = CONFIGS / 'teachers' / 'deeplabv3-w48_camvid.py'

TINY = (
    'train_dataloader.batch_size=2',
    'train_dataloader.num_workers=0',
    'train_dataloader.persistent_workers=False',
    'val_dataloader.num_workers=0',
    'val_dataloader.persistent_workers=False',
    'test_dataloader.num_workers=0',
    'test_dataloader.persistent_workers=False',
    'train_cfg.val_interval=2',
    'default_hooks.checkpoint.interval=2',
    'default_hooks.checkpoint.max_keep_ckpts=5',
    'default_hooks.logger.interval=1',
    'randomness.seed=3',
)


@pytest.fixture(scope='session')
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp('teacher') / 'teacher.pth'
    torch.save(build_model(str(TEACHER)).state_dict(), path)
    return path


def arguments(
    streets: Path, teacher: Path, work_dir: Path, iterations: int
) -> list[object]:
    return [
        PAIR,
        *('--data-root', streets),
        *('--teacher', teacher),
        *('--work-dir', work_dir),
        *('--cfg-options', *TINY, f'train_cfg.max_iters={iterations}'),
    ]


def test_train_resume_and_test(
    run_tool: Callable[..., None],
    streets: Path,
    teacher: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    # Without a seed, so that one is drawn.
    run = arguments(streets, teacher, tmp_path / 'a', 2)
    run_tool('train.py', *run, 'randomness.seed=None')
    dumped = Config.fromfile(tmp_path / 'a' / PAIR.name)
    first = safe_load(tmp_path / 'a' / 'iter_2.pth')
    student = build_model(str(STUDENT))
    assert not student.load_state_dict(first['state_dict'], strict=False).missing_keys
    exported = safe_load(tmp_path / 'a' / 'student.pth')
    student.load_state_dict(exported['state_dict'], strict=True)
    assert len(exported['meta']['dataset_meta']['classes']) == 11

    assert dumped.randomness.seed == first['meta']['seed']

    run = arguments(streets, teacher, tmp_path / 'a', 4)
    run_tool('train.py', *run, 'randomness.seed=None', '--resume')
    dumped = Config.fromfile(tmp_path / 'a' / PAIR.name)
    assert dumped.randomness.seed == first['meta']['seed']
    second = safe_load(tmp_path / 'a' / 'iter_4.pth')
    assert second['meta']['seed'] == first['meta']['seed']
    assert second['meta']['iter'] == 4
    head = 'methods.dual_head.head.classifier.weight'
    assert not torch.equal(first['state_dict'][head], second['state_dict'][head])

    run_tool(
        'test.py',
        *(PAIR, tmp_path / 'a' / 'iter_4.pth', '--data-root', streets),
        *('--work-dir', tmp_path / 'b', '--cfg-options', *TINY[5:7]),
    )
    # MMEngine names loggers by the second: runs in one process may share a log.
    [scores] = (tmp_path / 'b').glob('*/*.json')
    assert 'mIoU' in scores.read_text()

    record = (tmp_path / 'a' / PAIR.name).read_bytes()
    run_tool(
        'test.py',
        *(tmp_path / 'a' / PAIR.name, tmp_path / 'a' / 'iter_4.pth'),
        *('--work-dir', tmp_path / 'c', '--cfg-options', 'default_hooks.guard=None'),
    )
    [scores] = (tmp_path / 'c').glob('*/*.json')
    assert 'mIoU' in scores.read_text()
    assert (tmp_path / 'a' / PAIR.name).read_bytes() == record


@pytest.mark.parametrize('kind', ['another network', 'a backbone alone', 'a list'])
def test_a_test_of_what_is_no_checkpoint_of_the_student(
    kind: str,
    run_tool: Callable[..., None],
    streets: Path,
    teacher: Path,
    tmp_path: Path,
) -> None:
    student = build_model(str(STUDENT))
    content, message = {
        'another network': (safe_load(teacher), 'does not fit EncoderDecoder'),
        'a backbone alone': (student.backbone.state_dict(), 'no weights for Encoder'),
        'a list': ([1, 2], 'it holds a list of 2'),
    }[kind]
    torch.save(content, tmp_path / 'a.pth')
    with pytest.raises(ValueError, match=rf"checkpoint '.*a\.pth' .*{message}"):
        run_tool(
            'test.py',
            *(STUDENT, tmp_path / 'a.pth', '--data-root', streets),
            *('--cfg-options', *TINY[5:7]),
        )


def test_work_dir_follows_the_config(
    run_tool: Callable[..., None], streets: Path, tmp_path: Path
) -> None:
    run_tool(
        'train.py',
        *(STUDENT, '--data-root', streets, '--cfg-options', *TINY),
        'train_cfg.max_iters=1',
    )
    assert (tmp_path / 'work_dirs' / STUDENT.stem / 'last_checkpoint').exists()


def test_without_a_teacher_checkpoint(
    run_tool: Callable[..., None], streets: Path
) -> None:
    with pytest.raises(OSError, match=r'cannot be reached.*--teacher FILE'):
        run_tool('train.py', PAIR, '--data-root', streets)


def test_student_alone_takes_no_teacher(
    run_tool: Callable[..., None], streets: Path, teacher: Path
) -> None:
    with pytest.raises(ValueError, match='without a teacher'):
        run_tool('train.py', STUDENT, '--data-root', streets, '--teacher', teacher)


def test_data_root_without_anything(
    run_tool: Callable[..., None], tmp_path: Path
) -> None:
    (tmp_path / 'nothing').mkdir()
    with pytest.raises(ValueError, match=r"data root '.*nothing' is empty"):
        run_tool('train.py', PAIR, '--data-root', tmp_path / 'nothing')


def test_data_root_without_images(
    run_tool: Callable[..., None], teacher: Path, tmp_path: Path
) -> None:
    for folder in ('leftImg8bit', 'gtFine'):
        for split in ('train', 'val'):
            (tmp_path / 'data' / folder / split).mkdir(parents=True)
    with pytest.raises(ValueError, match=r'CityscapesDataset reads the folder.*train'):
        run_tool('train.py', *arguments(tmp_path / 'data', teacher, tmp_path, 2))


def test_loss_that_is_not_finite(
    run_tool: Callable[..., None],
    streets: Path,
    teacher: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as end:
        run_tool(
            'train.py',
            *arguments(streets, teacher, tmp_path / 'c', 50),
            *('optim_wrapper.optimizer.lr=1e30', 'default_hooks.checkpoint.interval=1'),
        )
    assert end.value.code == DIVERGED
    assert re.search(r'2: .*loss.* = nan.*iter_1\.pth', capsys.readouterr().err)
    last = (tmp_path / 'c' / 'last_checkpoint').read_text()
    state = safe_load(last)['state_dict']
    assert all(value.isfinite().all() for value in state.values())


def test_amp_is_bfloat16_without_a_gpu(
    run_tool: Callable[..., None], streets: Path, teacher: Path, tmp_path: Path
) -> None:
    if torch.cuda.is_available():
        pytest.skip('this machine has a GPU')
    states = []
    for name, options in (('single', []), ('mixed', ['--amp'])):
        run_tool('train.py', *arguments(streets, teacher, tmp_path / name, 2), *options)
        states.append(safe_load(tmp_path / name / 'iter_2.pth')['state_dict'])
    single, mixed = (state['decode_head.conv_seg.weight'] for state in states)
    assert mixed.dtype == torch.float32
    assert not torch.equal(mixed, single)
    torch.testing.assert_close(mixed, single, rtol=0.02, atol=0.02)


@pytest.mark.parametrize('kept', [True, False])
def test_the_student_may_keep_its_layout(
    run_tool: Callable[..., None],
    streets: Path,
    teacher: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kept: bool,
) -> None:
    if torch.cuda.is_available():
        pytest.skip('this machine has a GPU')
    layouts = []

    def step(self: BaseModel, *args: object) -> dict[str, torch.Tensor]:
        weights = [p for p in self.parameters() if p.dim() == 4]
        layouts.append(all(weight.is_contiguous() for weight in weights))
        return plain(self, *args)

    plain = BaseModel.train_step
    monkeypatch.setattr(BaseModel, 'train_step', step)
    run = arguments(streets, teacher, tmp_path / 'run', 1)
    run_tool('train.py', *run, *['default_hooks.layout=None'] * kept)
    assert layouts == [kept]


SKIP = 'train_cfg.skip_corrupt=True'


@pytest.mark.parametrize('place', ['leftImg8bit/train', 'gtFine/val'])
def test_a_corrupt_file_is_named(
    place: str,
    run_tool: Callable[..., None],
    streets: Path,
    teacher: Path,
    tmp_path: Path,
) -> None:
    shutil.copytree(streets, tmp_path / 'data')
    path = next((tmp_path / 'data' / place).rglob('*.png'))
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(CorruptSampleError, match=f"'{path}', cannot be read"):
        run_tool('train.py', *arguments(tmp_path / 'data', teacher, tmp_path / 'w', 4))


def test_a_corrupt_file_is_skipped(
    run_tool: Callable[..., None], streets: Path, teacher: Path, tmp_path: Path
) -> None:
    shutil.copytree(streets, tmp_path / 'data')
    path = next((tmp_path / 'data' / 'gtFine' / 'train').rglob('*.png'))
    path.write_bytes(b'')
    options = arguments(tmp_path / 'data', teacher, tmp_path / 'w', 2)
    run_tool('train.py', *options, SKIP, 'train_dataloader.num_workers=1')
    log = next((tmp_path / 'w').glob('*/*.log')).read_text()
    assert f"'{path}', cannot be read" in log
    # The worker reads ahead of the training.
    assert re.search(r'Corrupt samples replaced .* since the start: [1-9]\d*\.', log)
    assert 'skipped_samples: ' in log
