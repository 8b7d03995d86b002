"""Tiny students, teachers, batches and trainings of both tasks."""

import copy
import os
from pathlib import Path
from typing import Any, ClassVar

import pytest
import small_models
import torch
from mmengine.runner import Runner
from mmengine.structures import PixelData
from mmpretrain.structures import DataSample
from mmseg.structures import SegDataSample
from torch import Tensor, nn
from torch.utils.data import Dataset

from mmkd.models import Distiller, build_model

MEAN = [123.675, 116.28, 103.53]
STD = [58.395, 57.12, 57.375]
TASKS = ('images', 'pixels')
CLASSES = 4


class Noise(Dataset):
    """Eight samples of noise, the same ones each time."""

    metainfo: ClassVar[dict[str, Any]] = dict(classes=('cat', 'dog', 'eel', 'fox'))

    def __init__(self, batch: dict[str, list[Any]]) -> None:
        self.batch = batch

    def __len__(self) -> int:
        return len(self.batch['inputs'])

    def __getitem__(self, index: int) -> dict[str, Any]:
        sample = {name: values[index] for name, values in self.batch.items()}
        sample['data_samples'].set_metainfo(dict(sample_idx=index))
        return copy.deepcopy(sample)

    def get_data_info(self, index: int) -> dict[str, int]:
        return dict(gt_label=int(self.batch['data_samples'][index].gt_label))


class Tiny:
    """Small models, batches and checkpoints of both tasks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def model(self, task: str, **settings: Any) -> dict[str, Any]:
        """The config of a classifier or segmentor without dropout."""
        make = self.classifier if task == 'images' else self.segmentor
        return make(**settings)

    def segmentor(
        self, width: int = 4, classes: int = CLASSES, **changes: Any
    ) -> dict[str, Any]:
        """Its logits have an eighth of the image's height and width."""
        head = dict(
            type='mmseg.FCNHead',
            num_convs=1,
            concat_input=False,
            dropout_ratio=0.0,
            num_classes=classes,
            norm_cfg=dict(type='BN'),
            align_corners=False,
        )
        model = dict(
            type='mmseg.EncoderDecoder',
            data_preprocessor=dict(
                type='mmseg.SegDataPreProcessor',
                mean=MEAN,
                std=STD,
                bgr_to_rgb=True,
                size=(32, 32),
            ),
            backbone=dict(
                type='mmseg.ResNet',
                **small_models.two_stages(width),
                out_indices=(0, 1),
                norm_cfg=dict(type='BN'),
            ),
            decode_head=dict(head, in_channels=2 * width, in_index=1, channels=6),
            auxiliary_head=dict(
                head,
                in_channels=width,
                in_index=0,
                channels=3,
                loss_decode=dict(type='mmseg.CrossEntropyLoss', loss_weight=0.4),
            ),
            test_cfg=dict(mode='whole'),
        )
        return model | changes

    def classifier(
        self, width: int = 4, classes: int = CLASSES, **changes: Any
    ) -> dict[str, Any]:
        model = small_models.classifier(width, classes)
        model['data_preprocessor'].update(mean=MEAN, std=STD, to_rgb=True)
        return model | changes

    def batch(self, task: str, seed: int = 0, **settings: Any) -> dict[str, Any]:
        """What a dataloader yields: uint8 images and their annotations."""
        make = self.images if task == 'images' else self.pixels
        return make(torch.Generator().manual_seed(seed), **settings)

    def images(
        self, generator: torch.Generator, count: int = 4, size: int = 16
    ) -> dict[str, Any]:
        labels = torch.randint(CLASSES, (count,), generator=generator)
        return dict(
            inputs=_noise(generator, count, size),
            data_samples=[DataSample().set_gt_label(label) for label in labels],
        )

    def pixels(
        self,
        generator: torch.Generator,
        count: int = 2,
        size: int = 32,
        ignored: float = 0.2,
    ) -> dict[str, Any]:
        samples = []
        for number in range(count):
            labels = torch.randint(CLASSES, (1, size, size), generator=generator)
            labels[torch.rand(labels.shape, generator=generator) < ignored] = 255
            shape = dict(ori_shape=(size, size), img_shape=(size, size))
            sample = SegDataSample(
                metainfo=dict(shape, img_path=f'street_{number}.png')
            )
            sample.gt_sem_seg = PixelData(data=labels)
            samples.append(sample)
        return dict(inputs=_noise(generator, count, size), data_samples=samples)

    def teacher(
        self, config: str | dict[str, Any], seed: int = 1, **settings: Any
    ) -> dict[str, Any]:
        """A teacher's settings, with a checkpoint of random weights."""
        path = self.folder / f'teacher_{seed}.pth'
        torch.manual_seed(seed)
        model = build_model(config, **settings)
        # Another process may be reading what it has written there itself.
        own = path.with_suffix(f'.{os.getpid()}')
        torch.save(dict(state_dict=model.state_dict()), own)
        own.replace(path)
        return dict(config=config, checkpoint=str(path))

    def distiller(
        self,
        task: str = 'pixels',
        methods: dict[str, Any] | None = None,
        **settings: Any,
    ) -> Distiller:
        """A student, a teacher of twice its width, and DHKD unless told else."""
        settings.setdefault('student', self.model(task))
        if 'teacher' not in settings:
            settings['teacher'] = self.teacher(self.model(task, width=8))
        if methods is None:
            methods = dict(dual_head=dict(type='DualHead'))
        torch.manual_seed(0)
        return Distiller(methods=methods, **settings)

    def own_state(self, distiller: nn.Module) -> dict[str, Tensor]:
        """What a distiller's state dict holds of the student."""
        state = distiller.state_dict()
        return {k: v for k, v in state.items() if not k.startswith('methods.')}

    def plain(self, task: str = 'pixels', **settings: Any) -> nn.Module:
        """The student of :meth:`distiller` alone, as seeded as that is."""
        torch.manual_seed(0)
        return build_model(self.model(task, **settings))

    def runner(
        self,
        model: nn.Module,
        task: str = 'images',
        name: str = 'run',
        kind: Any = Runner,
        **settings: Any,
    ) -> Any:
        """A runner of two epochs of two iterations on noise, not yet started."""
        defaults: dict[str, Any] = dict(
            train_dataloader=dict(
                batch_size=4,
                num_workers=0,
                dataset=Noise(self.batch(task, count=8)),
                sampler=dict(type='DefaultSampler', shuffle=True),
                collate_fn=dict(type='pseudo_collate'),
            ),
            train_cfg=dict(by_epoch=True, max_epochs=2),
            optim_wrapper=dict(
                type='OptimWrapper', optimizer=dict(type='SGD', lr=0.1, momentum=0.9)
            ),
            randomness=dict(seed=0),
            experiment_name=f'{self.folder.name}_{name}',
            log_level='ERROR',
        )
        folder = str(self.folder / name)
        return kind(model, work_dir=folder, **(defaults | settings))


def _noise(generator: torch.Generator, count: int, size: int) -> list[Tensor]:
    images = torch.randint(256, (count, 3, size, size), generator=generator)
    return list(images.to(torch.uint8))


@pytest.fixture
def tiny(tmp_path: Path) -> Tiny:
    return Tiny(tmp_path)


@pytest.fixture(params=TASKS)
def task(request: pytest.FixtureRequest) -> str:
    return request.param
