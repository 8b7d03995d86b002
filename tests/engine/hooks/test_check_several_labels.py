"""Teachers of images that have several labels, trained and spoilt."""

from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmpretrain.structures import DataSample
from tiny_models import Noise
from torch import Tensor

from mmkd.models import build_model

pytestmark = pytest.mark.teacher_check
CLASSES = 3
HOOKS = dict(
    prepare_methods=dict(type='mmkd.PrepareMethodsHook'),
    check_teacher=dict(type='mmkd.CheckTeacherHook'),
)


def loader_of(batch: dict[str, Any]) -> dict[str, Any]:
    return dict(
        batch_size=4,
        num_workers=0,
        dataset=Noise(batch),
        sampler=dict(type='DefaultSampler', shuffle=False),
        collate_fn=dict(type='pseudo_collate'),
    )


def logged(tiny: Any) -> str:
    [file] = tiny.folder.rglob('*.log')
    return file.read_text()


def coloured(seed: int, count: int) -> dict[str, Any]:
    """Images with more of channel ``k`` where they have class ``k``."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.rand(count, CLASSES, generator=generator) < 0.4
    noise = 80 * torch.randn(count, CLASSES, 16, 16, generator=generator)
    images = 100 + 50 * labels.float()[..., None, None] + noise
    return dict(
        inputs=list(images.clamp(0, 255).to(torch.uint8)),
        data_samples=[
            DataSample().set_gt_label(each.nonzero().flatten()) for each in labels
        ],
    )


def classifier(tiny: Any, width: int = 4) -> dict[str, Any]:
    head = dict(
        type='mmpretrain.MultiLabelLinearClsHead',
        num_classes=CLASSES,
        in_channels=2 * width,
        loss=dict(type='mmpretrain.CrossEntropyLoss', use_sigmoid=True),
    )
    return tiny.classifier(width, head=head)


@pytest.fixture
def teacher(tiny: Any) -> dict[str, Any]:
    """A teacher that has learnt the colours, with its score in a metafile."""
    config = classifier(tiny)
    config['data_preprocessor'].update(to_rgb=False)
    torch.manual_seed(0)
    model = build_model(config)
    model.train()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for step in range(40):
        data = model.data_preprocessor(coloured(step + 100, 32), training=True)
        optimizer.zero_grad()
        model(**data, mode='loss')['loss'].backward()
        optimizer.step()
    torch.save(dict(state_dict=model.state_dict()), tiny.folder / 'teacher.pth')
    (tiny.folder / 'metafile.yml').write_text(
        'Models:\n'
        '- Config: teacher.py\n'
        '  Results: [{Dataset: Noise, Metrics: {mAP: 99.0}}]\n'
    )
    return config


def start(
    tiny: Any, config: dict[str, Any], method: str = 'DualHead', **settings: Any
) -> None:
    """Distil the teacher, with config and checkpoint in the folder."""
    file, checkpoint = tiny.folder / 'teacher.py', tiny.folder / 'teacher.pth'
    Config(dict(model=config)).dump(file)
    model = dict(
        type='mmkd.Distiller',
        student=classifier(tiny),
        teacher=dict(config=str(file), checkpoint=str(checkpoint), **settings),
        methods=dict(m=dict(type=method)),
    )
    tiny.runner(
        model,
        log_level='INFO',
        default_hooks=HOOKS,
        default_scope='mmpretrain',
        train_dataloader=loader_of(coloured(0, 8)),
        val_dataloader=loader_of(coloured(1, 70)),
        val_cfg={},
        val_evaluator=[dict(type='mmpretrain.AveragePrecision')],
        cfg=Config(dict(model=model)),
    ).train()


def spoil(folder: Path, names: str, change: Any) -> None:
    checkpoint = torch.load(folder / 'teacher.pth', weights_only=True)
    state: dict[str, Tensor] = checkpoint['state_dict']
    state.update({n: change(v) for n, v in state.items() if n.startswith(names)})
    torch.save(checkpoint, folder / 'teacher.pth')


def test_one_that_has_learnt_them_passes(tiny: Any, teacher: Any) -> None:
    start(tiny, teacher)
    assert 'its metafile: 99 on Noise' in logged(tiny)
    assert 'on 50 of 70 validation images (the best of 100 shuffles' in logged(tiny)
    assert 'Usual causes' not in logged(tiny)


def test_one_with_classes_in_another_order_is_refused(tiny: Any, teacher: Any) -> None:
    spoil(tiny.folder, 'head.fc', lambda value: value.roll(1, 0))
    with pytest.raises(ValueError, match=r'its mAP is .* shuffles .*order of classes'):
        start(tiny, teacher)


def test_their_order_by_hand_is_taken(tiny: Any, teacher: Any) -> None:
    spoil(tiny.folder, 'head.fc', lambda value: value.roll(1, 0))
    start(tiny, teacher, classes=[1, 2, 0])
    assert 'Usual causes' not in logged(tiny)


def test_one_with_channels_in_another_order_is_refused(
    tiny: Any, teacher: Any
) -> None:
    teacher['data_preprocessor'].update(to_rgb=True)
    with pytest.raises(ValueError, match=r'knows nothing .*channel order'):
        start(tiny, teacher)


def test_one_with_another_normalisation_is_warned_of(tiny: Any, teacher: Any) -> None:
    teacher['data_preprocessor'].update(std=[1e4, 60.0, 60.0])
    start(tiny, teacher)
    assert 'clearly below the 99 of its metafile. Usual causes' in logged(tiny)


def test_one_whose_features_alone_are_used_may_know_nothing(
    tiny: Any, teacher: Any
) -> None:
    spoil(tiny.folder, 'head.fc', torch.zeros_like)
    start(tiny, teacher, 'FitNet')
    assert 'The methods use only its features' in logged(tiny)
