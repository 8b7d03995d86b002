"""Problems of the data are reported before the first iteration."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import DefaultSampler
from mmengine.evaluator import Evaluator
from mmengine.registry import DATA_SAMPLERS
from mmengine.runner import Runner
from mmpretrain.datasets import CustomDataset
from two_processes import in_two_processes

from mmkd.resilience.start_checks import check_classes, classes_at_test

SAMPLES = [dict(inputs=torch.full((4,), float(number))) for number in range(9)]


def in_two(
    trainer: Callable[..., Runner],
    folder: Path,
    sampler: Any,
    by_epoch: bool = True,
    samples: Callable[[int], Any] = lambda rank: SAMPLES,
) -> list[int]:
    def work(rank: int) -> int:
        runner = trainer(
            by_epoch=by_epoch,
            length=2,
            data=samples(rank),
            train_dataloader=dict(
                batch_size=2, num_workers=0, dataset={}, sampler=sampler
            ),
            launcher='pytorch',
            cfg=Config(
                dict(model_wrapper_cfg=dict(type='mmkd.AnyDeviceDataParallel'))
            ),
        )
        runner.train()
        return runner.iter

    return in_two_processes(work, folder)


@pytest.mark.parametrize('by_epoch', [False, True])
def test_processes_that_would_see_the_same_images_are_refused(
    by_epoch: bool, trainer: Callable[..., Runner], tmp_path: Path
) -> None:
    message = r"SequentialSampler gives each of the 2 .* same images\. .*DefaultSampler"
    with pytest.raises(ValueError, match=message):
        in_two(trainer, tmp_path, None, by_epoch)


@DATA_SAMPLERS.register_module()
class Alone(DefaultSampler):
    """Knows nothing about other processes."""

    def __init__(self, dataset: Any, **settings: Any) -> None:
        super().__init__(dataset, **settings)
        self.rank, self.world_size = 0, 1
        self.num_samples = self.total_size = len(dataset)


@DATA_SAMPLERS.register_module()
class RepeatAugSampler(Alone):
    """Has the name of MMPretrain's sampler."""


def test_a_sampler_is_tried(trainer: Callable[..., Runner], tmp_path: Path) -> None:
    for folder in ('alone', 'repeats'):
        (tmp_path / folder).mkdir()
    with pytest.raises(ValueError, match='Alone gives each of the 2'):
        in_two(trainer, tmp_path / 'alone', dict(type='Alone'), by_epoch=False)
    repeats = dict(type='RepeatAugSampler')
    assert in_two(trainer, tmp_path / 'repeats', repeats, by_epoch=False) == [2, 2]


def test_epochs_that_end_at_different_times_are_refused(
    trainer: Callable[..., Runner], tmp_path: Path
) -> None:
    uneven = dict(type='DefaultSampler', round_up=False)
    with pytest.raises(ValueError, match=r'have \[3, 2\] batches .*round_up=False'):
        in_two(trainer, tmp_path, uneven)


def test_iterations_need_no_common_epoch(
    trainer: Callable[..., Runner], tmp_path: Path
) -> None:
    uneven = dict(type='DefaultSampler', round_up=False)
    assert in_two(trainer, tmp_path, uneven, by_epoch=False) == [2, 2]


def test_machines_with_different_files_are_refused(
    trainer: Callable[..., Runner], tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=r'different training sets, of \[9, 8\]'):
        in_two(
            trainer,
            tmp_path,
            dict(type='DefaultSampler'),
            samples=lambda rank: SAMPLES[rank:],
        )


@pytest.mark.parametrize('length', [0, -1])
@pytest.mark.parametrize('by_epoch', [True, False])
def test_a_training_of_no_length_is_refused(
    trainer: Callable[..., Runner], by_epoch: bool, length: int
) -> None:
    run = trainer(by_epoch=by_epoch, length=length)
    unit = 'max_epochs' if by_epoch else 'max_iters'

    with pytest.raises(ValueError, match=rf'{unit} must be at least 1, got {length}'):
        run.train()


def test_a_validation_at_no_interval_is_refused(
    trainer: Callable[..., Runner],
) -> None:
    run = trainer(train_cfg=dict(by_epoch=False, max_iters=2, val_interval=0))

    with pytest.raises(ValueError, match='val_interval must be at least 1, got 0'):
        run.train()


def loader_of(batch_size: int, sampler: str = 'DefaultSampler') -> dict[str, Any]:
    sampling = dict(sampler=dict(type=sampler), drop_last=True)
    return dict(batch_size=batch_size, num_workers=0, dataset={}, **sampling)


def test_batches_that_are_never_full_are_refused(
    trainer: Callable[..., Runner],
) -> None:
    run = trainer(by_epoch=True, length=2, train_dataloader=loader_of(12))

    with pytest.raises(ValueError, match=r'batch_size=12, .* more than 11 of the 11'):
        run.train()
    full = trainer('full', by_epoch=True, length=2, train_dataloader=loader_of(11))
    full.train()
    assert full.iter == 2


def test_endless_samplers_fill_every_batch(trainer: Callable[..., Runner]) -> None:
    run = trainer(length=2, train_dataloader=loader_of(12, 'InfiniteSampler'))

    run.train()

    assert run.iter == 2


ANIMALS = ['cat', 'dog', 'eel', 'fox']


@pytest.mark.parametrize(
    ('other', 'message'),
    [
        (['cat', 'eel', 'fox'], 'it lacks dog, and adds none'),
        ([*ANIMALS, 'gnu'], 'it lacks none, and adds gnu'),
        (['cat', 'cow', 'eel', 'fox'], 'it lacks dog, and adds cow'),
        (['dog', 'cat', 'eel', 'fox'], 'in another order'),
    ],
)
def test_other_classes_are_refused_with_both_lists(
    other: list[str], message: str
) -> None:
    lists = f"train: cat, dog, eel, fox. val: {', '.join(other)}."
    with pytest.raises(ValueError, match=rf'from train: {message}\. {lists}'):
        check_classes(dict(train=ANIMALS, val=other))


@pytest.mark.parametrize(
    'other', [None, [], ANIMALS, tuple(ANIMALS), ['Cat', 'DOG', 'eel', '_fox ']]
)
def test_the_same_classes_may_be_spelt_otherwise(other: Any) -> None:
    check_classes(dict(train=ANIMALS, val=other))


@pytest.fixture
def folders(tmp_path: Path) -> Callable[..., Any]:
    def make(name: str, classes: list[str]) -> Any:
        for number, kind in enumerate(classes):
            path = tmp_path / name / kind / f'{number}.png'
            path.parent.mkdir(parents=True)
            cv2.imwrite(str(path), np.zeros((4, 4, 3), np.uint8))
        return CustomDataset(str(tmp_path / name), pipeline=[])

    return make


def test_a_validation_folder_that_lacks_a_class_is_named(
    trainer: Callable[..., Runner],
    validation: dict[str, Any],
    folders: Callable[..., Any],
) -> None:
    runner = trainer(**validation, data=folders('train', ANIMALS))
    runner._val_dataloader['dataset'] = folders('val', ['cat', 'eel', 'fox'])
    with pytest.raises(ValueError, match=r'val_dataloader numbers .* it lacks dog'):
        runner.train()


@pytest.mark.parametrize('there', [True, False])
def test_so_is_a_test_folder_that_lacks_one_where_it_is_there(
    trainer: Callable[..., Runner],
    validation: dict[str, Any],
    folders: Callable[..., Any],
    tmp_path: Path,
    there: bool,
) -> None:
    data = folders('train', ANIMALS)
    if there:
        folders('test', ['cat', 'eel', 'fox'])
    tested: dict[str, Any] = dict(
        type=CustomDataset, data_root=str(tmp_path / 'test'), pipeline=[]
    )
    runner = trainer(
        **validation,
        data=data,
        test_cfg={},
        test_dataloader=dict(validation['val_dataloader'], dataset=tested),
        test_evaluator=Evaluator([]),
    )
    if not there:
        assert classes_at_test(runner) is None
        return
    with pytest.raises(ValueError, match=r'test_dataloader numbers .* it lacks dog'):
        runner.train()


def test_a_test_of_other_classes_than_the_checkpoints_is_refused(
    trainer: Callable[..., Runner],
    validation: dict[str, Any],
    folders: Callable[..., Any],
    tmp_path: Path,
) -> None:
    path = tmp_path / 'student.pth'
    loader = validation['val_dataloader']
    runner = trainer(
        test_cfg={},
        test_dataloader=loader,
        test_evaluator=Evaluator([]),
        load_from=str(path),
    )
    state = dict(state_dict=runner.model.state_dict())
    meta = dict(dataset_meta=dict(classes=('cat', 'dog')))
    torch.save(dict(state, meta=meta), path)
    runner._test_dataloader['dataset'] = folders('test', ['cat', 'dot'])
    with pytest.raises(ValueError, match=r'test_dataloader .* from the checkpoint: '):
        runner.test()
