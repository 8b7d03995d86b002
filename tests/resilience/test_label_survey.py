import random
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from mmcv.transforms import BaseTransform, RandomApply
from mmengine.dataset import Compose, ConcatDataset, RepeatDataset
from mmengine.registry import init_default_scope
from mmpretrain.evaluation import Accuracy
from mmseg.datasets import BaseSegDataset, LoadAnnotations, MultiImageMixDataset
from PIL import Image

from mmkd.models import build_model
from mmkd.resilience import TrainingGuardHook, label_reading
from mmkd.resilience.label_survey import survey

NAMES = ('road', 'car', 'sky', 'tree')
PIPELINE = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
SIZE = (6, 8)


def stripes(*labels: int, dtype: Any = np.uint8) -> np.ndarray:
    return np.repeat(np.array(labels, dtype), 48 // len(labels)).reshape(SIZE)


WHOLE = stripes(0, 1, 2, 3)


class Folder:
    """Image and label files, and the data sets that read them."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def __call__(
        self, *labels: np.ndarray, name: str = 'train', **settings: Any
    ) -> BaseSegDataset:
        for kind in ('img', 'ann'):
            (self.root / name / kind).mkdir(parents=True, exist_ok=True)
        for number, label in enumerate(labels):
            pixels = np.zeros((*SIZE, 3), np.uint8)
            Image.fromarray(pixels).save(self.root / name / f'img/{number}.jpg')
            Image.fromarray(label).save(self.root / name / f'ann/{number}.png')
        defaults = dict(
            data_root=str(self.root / name),
            data_prefix=dict(img_path='img', seg_map_path='ann'),
            metainfo=dict(classes=NAMES),
            pipeline=PIPELINE,
            serialize_data=False,
        )
        return BaseSegDataset(**{**defaults, **settings})


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


class Start:
    """A training that is about to start, as far as a survey needs it."""

    def __init__(
        self,
        model: Any,
        train: Any,
        val: Any = None,
        step: int = 0,
        metrics: Any = (),
    ) -> None:
        self.model, self.iter, self.cfg = model, step, {}
        self.warnings: list[str] = []
        self.logger = SimpleNamespace(warning=self.warnings.append)
        self.train_dataloader = SimpleNamespace(dataset=train)
        self._resume = False
        self._test_dataloader = self._val_dataloader = None
        self.train_loop = SimpleNamespace(dataloader=self.train_dataloader)
        val_loader = SimpleNamespace(dataset=val)
        evaluator = SimpleNamespace(metrics=metrics)
        self.val_loop = SimpleNamespace(dataloader=val_loader, evaluator=evaluator)


@pytest.fixture
def start(tiny: Any) -> Callable[..., Start]:
    init_default_scope('mmseg')

    def begin(
        *datasets: Any, task: str = 'pixels', metrics: Any = (), **head: Any
    ) -> Start:
        config = tiny.model(task)
        config['head' if task == 'images' else 'decode_head'].update(head)
        run: Any = Start(build_model(config), *datasets, metrics=metrics)
        run.cfg = dict(model=config)
        survey(run)
        return run

    return begin


def test_labels_as_they_should_be_are_passed_in_silence(
    start: Any, folder: Folder
) -> None:
    run = start(folder(WHOLE, stripes(0, 255)), folder(stripes(1), name='val'))

    assert run.warnings == []


RGB = np.stack([WHOLE] * 3, -1)
WRONG = {
    'three channels': (RGB, r'ann/1\.png have the shape \(6, 8, 3\)'),
    'twice the size': (
        WHOLE.repeat(2, 0).repeat(2, 1),
        r'ann/1\.png have the size \(12, 16\), its image \(6, 8\)',
    ),
    'a label more': (stripes(4, 77), r'labels \[4, 77\] of .*ann/1\.png lie outside'),
    '16 bits': (
        stripes(3, 258, 515, dtype=np.uint16),
        r'ann/1\.png holds .* 258 becomes 2, 515 becomes 3',
    ),
}


@pytest.mark.parametrize('place', ['train', 'val'])
@pytest.mark.parametrize('wrong', WRONG)
def test_what_cannot_be_trained_on_is_named(
    start: Any, folder: Folder, wrong: str, place: str
) -> None:
    labels, said = WRONG[wrong]
    datasets = [folder(WHOLE), folder(WHOLE, labels, name='other')]
    if place == 'train':
        datasets = [datasets[1], datasets[0]]

    with pytest.raises(ValueError, match=rf'^{place}_dataloader: .*{said}'):
        start(*datasets)


def test_16_bits_that_keep_their_meaning_pass(start: Any, folder: Folder) -> None:
    deep = stripes(0, 1, 2, 65535, dtype=np.uint16)

    assert start(folder(deep, stripes(3))).warnings == []


def test_nothing_has_a_class(start: Any, folder: Folder) -> None:
    with pytest.raises(ValueError, match=r'^train_dataloader: nothing .*the 2 label f'):
        start(folder(stripes(255), stripes(255)))
    with pytest.raises(ValueError, match=r'^val_dataloader: nothing .*1 label files'):
        start(folder(WHOLE), folder(stripes(255), name='val'))


def test_classes_that_never_occur_are_listed_in_one_line(
    start: Any, folder: Folder
) -> None:
    [line] = start(folder(stripes(0, 2), stripes(2, 255))).warnings

    assert line == (
        '2 of 4 classes occur in none of the 2 label files: 1 (car), 3 (tree).'
    )


def test_masks_of_0_and_255_are_told(start: Any, folder: Folder) -> None:
    [line] = start(folder(stripes(0, 255)), num_classes=2).warnings

    assert '1 of 2 classes occur in none of the 1 label files: 1.' in line
    assert 'save masks of 0 and 255 as 0 and 1' in line


def test_labels_are_those_that_the_data_set_makes(start: Any, folder: Folder) -> None:
    """Zero labels are reduced, and names are mapped."""
    reduced = folder(stripes(0, 1, 2, 3, 4, 4), reduce_zero_label=True)
    mapped = folder(
        stripes(0, 1, 2, 3), metainfo=dict(classes=NAMES[::-1]), name='mapped'
    )

    assert start(reduced).warnings == []
    assert start(mapped).warnings == []


def test_few_files_of_a_large_set_are_read_from_all_over_it(
    start: Any, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(label_reading, 'FILES', 3)
    read = []
    dataset = folder(*[stripes(number % 3) for number in range(9)])
    load = dataset.pipeline.transforms[1].transform
    dataset.pipeline.transforms[1].transform = lambda info: (
        read.append(Path(info['seg_map_path']).stem) or load(info)
    )

    [line] = start(dataset).warnings

    assert read == ['0', '4', '8']
    assert 'in none of 3 of the 9 label files: 3 (tree)' in line


@pytest.mark.parametrize(
    'wrap', [lambda each: RepeatDataset(each, 2), lambda each: ConcatDataset([each])]
)
def test_wrapped_data_sets_are_looked_at(start: Any, folder: Folder, wrap: Any) -> None:
    with pytest.raises(ValueError, match=r'labels \[9\] of .*ann/0\.png'):
        start(wrap(folder(stripes(9))))


def test_files_that_cannot_be_read_are_left_to_the_training(
    start: Any, folder: Folder, tmp_path: Path
) -> None:
    dataset = folder(WHOLE, WHOLE)
    (tmp_path / 'train/ann/0.png').write_bytes(b'no image')

    assert start(dataset).warnings == []


def test_random_numbers_are_as_they_were(start: Any, folder: Folder) -> None:
    pipeline = [PIPELINE[0], PIPELINE[2], PIPELINE[1], PIPELINE[3]]
    dataset = folder(WHOLE, WHOLE, pipeline=pipeline)
    random.seed(0)
    np.random.seed(0)
    before = random.getstate(), np.random.get_state()[1].tolist()  # type: ignore

    start(dataset)

    assert (random.getstate(), np.random.get_state()[1].tolist()) == before  # type: ignore


class Listed:
    """A data set of images whose labels are in a list."""

    metainfo: ClassVar = dict(classes=('ant', 'bee', 'cow', 'dog'))

    def __init__(self, *labels: Any) -> None:
        self.labels = labels

    def __len__(self) -> int:
        return len(self.labels)

    def get_data_info(self, index: int) -> dict[str, Any]:
        return dict(img_path=f'{index}.jpg', gt_label=self.labels[index])


def test_labels_of_images_are_looked_at(start: Any) -> None:
    with pytest.raises(ValueError, match=r'labels \[4\] of 1\.jpg lie outside the'):
        start(Listed(3, 4), task='images')
    with pytest.raises(ValueError, match=r'^val_d.*1\.jpg has the labels \[0, 1\]'):
        start(Listed(3), Listed(3, [0, 1]), task='images')


def test_classes_without_an_image_are_listed(start: Any) -> None:
    [line] = start(Listed(1, 0, 1), task='images').warnings

    assert line == '2 of 4 classes occur in none of the 3 labels: 2 (cow), 3 (dog).'


def test_a_guard_asks_once_a_training(tiny: Any, folder: Folder) -> None:
    init_default_scope('mmseg')
    bad, model = folder(stripes(9)), build_model(tiny.segmentor())

    with pytest.raises(ValueError, match=r'labels \[9\]'):
        TrainingGuardHook().before_train(Start(model, bad))  # type: ignore[arg-type]
    TrainingGuardHook().before_train(Start(model, bad, step=2))  # type: ignore[arg-type]


def test_a_validation_batch_is_looked_at(start: Any, tiny: Any) -> None:
    run, batch = start([]), tiny.batch('pixels')
    guard = TrainingGuardHook()
    guard.before_val_iter(run, 0, batch)
    batch['data_samples'][1].gt_sem_seg.data[0, 3, 3] = 4

    with pytest.raises(ValueError, match=r'labels \[4\] of street_1\.png'):
        guard.before_val_iter(run, 0, batch)
    for sample in batch['data_samples']:
        del sample.gt_sem_seg
    for other in (batch, dict(data_samples=torch.zeros(2)), dict(inputs=[]), None):
        guard.before_val_iter(run, 0, other)


def test_a_score_may_ignore_what_a_loss_does_not(start: Any, folder: Folder) -> None:
    datasets = folder(WHOLE), folder(stripes(1, 77), name='val')
    with pytest.raises(ValueError, match=r'^val_dataloader: labels \[77\]'):
        start(*datasets)

    start(*datasets, metrics=[SimpleNamespace(ignore_index=77)])


def test_a_score_among_more_classes_than_there_are_is_refused(start: Any) -> None:
    few, many = Accuracy(topk=(1, 4)), Accuracy(topk=(1, 5))
    start(Listed(3), Listed(3), task='images', metrics=[few])

    with pytest.raises(ValueError, match=r'topk=\(1, 5\), but the model has 4 cl'):
        start(Listed(3), Listed(3), task='images', metrics=[few, many])


def test_settings_of_a_plain_training_are_looked_at(start: Any) -> None:
    loss = dict(type='CrossEntropyLoss', class_weight=[1.0] * 3)

    with pytest.raises(ValueError, match=r'^model\.decode_head\.loss_decode\.class_w'):
        start([], loss_decode=loss)
    with pytest.raises(ValueError, match=r'seg_pad_val is 255, .*decode_head\.ignore'):
        start([], ignore_index=0)


def test_models_and_data_of_other_kinds_are_left_alone(start: Any) -> None:
    survey(Start(torch.nn.Linear(1, 1), Listed(9)))  # type: ignore[arg-type]
    start([9], [9])


def test_transforms_of_a_users_own_are_as_they_were(
    start: Any, folder: Folder
) -> None:
    class Counts:
        seen = 0

        def __call__(self, results: Any) -> Any:
            self.seen += 1
            return results

    dataset = folder(WHOLE, WHOLE)
    dataset.pipeline.transforms.insert(0, Counts())
    start(dataset)
    assert dataset.pipeline.transforms[0].seen == 0


class Halve(BaseTransform):
    """Maps labels, and is no library's."""

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        results['gt_seg_map'] //= 2
        return results


class Same(BaseTransform):
    """A user's own that maps nothing."""

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        return results


def around(dataset: Any, steps: list[Any]) -> Any:
    mixed = MultiImageMixDataset(ConcatDataset([dataset]), [])
    mixed.pipeline = steps
    return mixed


@pytest.mark.parametrize(
    'wrap',
    [
        lambda data: data.pipeline.transforms.append(Halve()),
        lambda data: data.pipeline.transforms.append(RandomApply([Halve()], prob=1.0)),
        lambda data: data.pipeline.transforms.append(lambda results: results),
        lambda data: around(data, [Compose([Halve()])]),
    ],
)
def test_labels_that_a_users_transform_may_map_are_left_to_the_training(
    start: Any, folder: Folder, wrap: Any
) -> None:
    dataset = folder(stripes(0, 9), stripes(0, 1))
    with pytest.raises(ValueError, match=r'labels \[9\]'):
        start(dataset)
    [line] = start(wrap(dataset) or dataset).warnings
    assert 'labels [9]' in line
    assert 'code of your own may map them' in line
    deep = folder(stripes(0, 300, dtype=np.uint16), name='deep')
    with pytest.raises(ValueError, match='values above 255'):
        start(wrap(deep) or deep)


def test_a_library_that_keeps_configs_of_transforms_maps_nothing(
    start: Any, folder: Folder
) -> None:
    dataset = folder(stripes(0, 9))
    several = RandomApply([], prob=1.0)
    several.transforms = [dict(type='HorizontalFlip')]
    dataset.pipeline.transforms.append(several)
    with pytest.raises(ValueError, match=r'labels \[9\]'):
        start(dataset)


class Thousands(LoadAnnotations):
    """Reads instance ids of 16 bits as classes."""

    def _load_seg_map(self, results: dict[str, Any]) -> None:
        ids = np.array(Image.open(results['seg_map_path']))
        results['gt_seg_map'] = (ids // 1000).astype(np.uint8)
        results['seg_fields'].append('gt_seg_map')


def test_a_loader_of_ones_own_may_read_16_bits(start: Any, folder: Folder) -> None:
    dataset = folder(stripes(1001, 2003, 7, 3000, dtype=np.uint16))
    dataset.pipeline.transforms[1] = Thousands()
    assert start(dataset).warnings == []


@pytest.mark.parametrize('mapped', [False, True])
def test_what_is_unsure_is_checked_batch_by_batch(
    tiny: Any, folder: Folder, mapped: bool
) -> None:
    init_default_scope('mmseg')
    dataset = folder(*[stripes(0, 9)] * 4)
    dataset.pipeline.transforms.insert(2, Halve() if mapped else Same())
    if mapped:
        dataset.pipeline.transforms.insert(2, Halve())
    runner = tiny.runner(
        tiny.plain('pixels'),
        'pixels',
        train_dataloader=dict(
            batch_size=2,
            num_workers=0,
            dataset=dataset,
            sampler=dict(type='DefaultSampler', shuffle=False),
            collate_fn=dict(type='pseudo_collate'),
        ),
        custom_hooks=[dict(type='mmkd.TrainingGuardHook')],
    )
    if mapped:
        runner.train()
    else:
        with pytest.raises(ValueError, match=r'labels \[9\] of .*0\.png'):
            runner.train()
