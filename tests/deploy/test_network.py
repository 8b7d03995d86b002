from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from mmcv.transforms import LoadImageFromFile
from mmengine.config import Config
from mmseg.structures import SegDataSample
from tiny_models import MEAN, STD, Tiny

from mmkd.config.experiments import load_config
from mmkd.deploy.facts import facts_of
from mmkd.deploy.names import names_in_config
from mmkd.deploy.network import Network, student_network, teacher_network
from mmkd.models import build_model

CONFIGS = Path(__file__).parents[2] / 'configs'
Make = Callable[..., Network]


def test_logits_of_pixels_are_those_that_the_model_predicts_with(network: Make) -> None:
    own = network('pixels')
    images = torch.randn(2, 3, 21, 30)
    shape = dict(ori_shape=(21, 30), img_shape=(21, 30))
    samples = [SegDataSample(metainfo=dict(shape)) for _ in images]
    with torch.no_grad():
        predicted = own.model(images, samples, mode='predict')
        logits = own(images)
    expected = torch.stack([sample.seg_logits.data for sample in predicted])
    torch.testing.assert_close(logits, expected)
    whole = network('pixels', resized=False)(images)
    assert whole.shape[2:] == (3, 4)


def test_logits_of_images_are_what_the_model_gives(network: Make) -> None:
    own = network('images')
    images = torch.randn(2, 3, 16, 16)
    torch.testing.assert_close(own(images), own.model(images, mode='tensor'))


@pytest.fixture
def distillation(tiny: Tiny, task: str) -> Config:
    model = dict(
        type='mmkd.Distiller',
        student=tiny.model(task),
        teacher=dict(config='none.py', checkpoint='none.pth'),
        methods={},
    )
    return Config(dict(model=model))


def test_the_student_of_a_distillation(
    distillation: Config,
    tiny: Tiny,
    task: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    distiller = tiny.distiller(task)
    content = dict(
        meta=dict(dataset_meta=dict(classes=('a', 'b', 'c', 'd'))),
        state_dict=distiller.state_dict(),
    )
    torch.save(content, tmp_path / 'epoch_1.pth')
    built = student_network(distillation, str(tmp_path / 'epoch_1.pth'))
    assert built.names == ['a', 'b', 'c', 'd']
    own = tiny.own_state(distiller)
    state = built.model.state_dict()
    assert all(torch.equal(value, own[name]) for name, value in state.items())
    assert not any(p.requires_grad for p in built.parameters())
    assert not any(name.startswith('auxiliary_head') for name in state)
    torch.save({name: v for name, v in own.items() if 'conv1' not in name}, 'x.pth')
    with pytest.raises(ValueError, match='Missing keys: backbone'):
        student_network(distillation, 'x.pth')


def test_a_deeper_network_is_not_the_student(
    distillation: Config, tiny: Tiny, task: str, tmp_path: Path
) -> None:
    path, config = tmp_path / 'student.pth', tiny.model(task)
    more = {'methods.kd.weight': torch.ones(2), 'steps': torch.tensor(3)}
    for name in ('auxiliary_head.more', 'ema_conv1', 'backbone.AuxLogits.conv'):
        more[name] = torch.ones(2)
    more |= {'data_preprocessor.mean': torch.ones(2), 'head.loss_weight': torch.ones(2)}
    torch.save(build_model(config).state_dict() | more, path)
    student_network(distillation, str(path))
    config['backbone']['depth'] = 34
    torch.save(build_model(config).state_dict(), path)
    with pytest.raises(ValueError, match=r'student\.pth is .* its backbone\.layer1\.2'):
        student_network(distillation, str(path))


def test_a_teacher_says_the_classes_of_its_student_or_of_the_data_set(
    distillation: Config, tiny: Tiny, task: str
) -> None:
    student = Network(build_model(tiny.model(task)), ('cat', 'dog', 'eel', 'fox'))
    settings = tiny.teacher(tiny.model(task, width=8))
    content = torch.load(settings['checkpoint'])
    names = ('fox', 'eel', 'dog', 'cat')
    content['meta'] = dict(dataset_meta=dict(classes=names))
    torch.save(content, settings['checkpoint'])
    distillation.model.teacher = settings
    teacher, missing = teacher_network(distillation, student)
    assert not missing
    own = build_model(settings['config']).eval()
    own.load_state_dict(content['state_dict'])
    images = torch.randn(2, 3, 16, 16)
    expected = Network(own)(images).flip(1)
    torch.testing.assert_close(teacher(images), expected)
    teacher, _ = teacher_network(distillation, student, names)
    torch.testing.assert_close(teacher(images), expected.flip(1))
    assert teacher.names == list(names)


def test_a_teacher_that_is_not_there_has_a_size_all_the_same(
    distillation: Config, tiny: Tiny, task: str
) -> None:
    student = Network(build_model(tiny.model(task)))
    config = tiny.model(task, width=8)
    # It is trained with the student's, then.
    config.pop('data_preprocessor')
    for checkpoint in (None, 'none.pth'):
        distillation.model.teacher = dict(config=config)
        distillation.model.teacher.checkpoint = checkpoint
        teacher, missing = teacher_network(distillation, student)
        assert 'checkpoint' in missing
        assert teacher.parameters_count > student.parameters_count
        assert teacher.model.data_preprocessor is student.model.data_preprocessor
        assert teacher.megabytes > 4e-6 * teacher.parameters_count


def facts_alone(model: dict[str, Any]) -> dict[str, Any]:
    return facts_of(Network(build_model(model)), Config({}), 18, None)


def test_a_single_channel_is_read_as_the_library_does(tiny: Tiny) -> None:
    config = tiny.segmentor(classes=2)
    loss = dict(type='mmseg.CrossEntropyLoss', use_sigmoid=True)
    config['decode_head'].update(out_channels=1, loss_decode=loss)
    own = Network(build_model(config))
    images, size = torch.randn(1, 3, 16, 16), (16, 16)
    # Logits between the threshold and 0, too.
    own.model.decode_head.conv_seg.bias.data -= own(images).median() + 0.4
    sample = SegDataSample(metainfo=dict(ori_shape=size, img_shape=size))
    [predicted] = own.model(images, [sample], mode='predict')
    threshold = facts_alone(config)['threshold']
    assert threshold == 0.3
    found = own(images)[:, 0].sigmoid() > threshold
    assert torch.equal(found, predicted.pred_sem_seg.data > 0)
    assert found.any()
    assert not torch.equal(found, own(images)[:, 0] > 0)
    assert facts_alone(tiny.segmentor())['threshold'] is None


def test_several_labels_are_read_as_the_library_does(tiny: Tiny) -> None:
    head = tiny.classifier()['head'] | dict(type='mmpretrain.MultiLabelLinearClsHead')
    for unused in ('topk', 'loss'):
        head.pop(unused, None)
    heads = [head | own for own in ({}, dict(thr=0.7), dict(topk=2))]
    found = [facts_alone(tiny.classifier(head=each))['threshold'] for each in heads]
    assert found == [0.5, 0.7, None]
    assert facts_alone(tiny.classifier())['threshold'] is None


def of_config(name: str) -> dict[str, object]:
    cfg = load_config(str(CONFIGS / name))
    settings = dict(cfg.model, _scope_=cfg.default_scope)
    settings.setdefault('data_preprocessor', cfg.get('data_preprocessor'))
    return facts_of(Network(build_model(settings)), cfg, 18, None)


def test_facts_of_files_and_arrays() -> None:
    streets = of_config('students/deeplabv3-w16_camvid.py')
    assert streets['channel_order'] == 'RGB'
    assert streets['mean'] == pytest.approx(MEAN)
    assert streets['std'] == pytest.approx(STD)
    assert (streets['predicts'], streets['resized']) == ('pixels', True)
    cifar = of_config('students/resnet8x4_cifar100.py')
    assert (cifar['channel_order'], cifar['resized']) == ('RGB', None)
    assert of_config('demo/classification/student.py')['channel_order'] == 'grey'


def test_a_channel_order_is_not_guessed() -> None:
    cfg = load_config(str(CONFIGS / 'students/deeplabv3-w16_camvid.py'))
    own = Network(build_model(dict(cfg.model, _scope_='mmseg')))
    cfg.test_dataloader = cfg.pop('val_dataloader')
    assert facts_of(own, cfg, 18, None)['channel_order'] == 'RGB'
    cfg.test_dataloader = None
    assert facts_of(own, cfg, 18, None)['channel_order'] is None


def test_files_that_are_not_reversed_are_in_opencvs_order() -> None:
    cfg = load_config(str(CONFIGS / 'students/deeplabv3-w16_camvid.py'))
    cfg.model.data_preprocessor.bgr_to_rgb = False
    own = Network(build_model(dict(cfg.model, _scope_='mmseg')))
    assert facts_of(own, cfg, 18, (8, 8))['channel_order'] == 'BGR'
    assert own.divisor == 1
    own.model.data_preprocessor.test_cfg = dict(size_divisor=32)
    assert facts_of(own, cfg, 18, None)['size_divisor'] == 32


FILE, PACK = dict(type='LoadImageFromFile'), dict(type='PackInputs')
NORMALISE = dict(type='mmcv.Normalize', mean=MEAN, std=STD, to_rgb=True)
SEVERAL = dict(type='PackMultiTaskInputs', multi_task_fields=['gt_label'])
PIL = dict(type='NumpyToPIL', to_rgb=True)
TENSOR = dict(type='torchvision/ToTensor')
SCALED = dict(type='torchvision/Normalize', mean=[0.5] * 3, std=[0.2] * 3)
GEOMETRY = [
    dict(type='ResizeEdge', scale=80, edge='short', interpolation='bicubic'),
    dict(type='CenterCrop', crop_size=72),
    dict(type='Pad', size=(96, 96)),
    dict(type='RandomFlip', prob=1.0),
]


@pytest.mark.parametrize(
    ('steps', 'found'),
    [
        ([FILE, *GEOMETRY, PACK], ('RGB', True)),
        ([dict(type=LoadImageFromFile), PACK], ('RGB', True)),
        ([FILE, PIL, PACK], ('BGR', True)),
        ([PACK], ('BGR', True)),
        ([FILE, NORMALISE, PACK], (None, False)),
        ([FILE, PIL, TENSOR, SCALED, PACK], (None, False)),
        ([FILE, dict(type='Equalize', prob=1.0), PACK], (None, False)),
        ([dict(FILE, color_type='grayscale'), PACK], (None, False)),
        # A loader of files that the images are not.
        ([dict(type='LoadNumpy'), PACK], (None, True)),
        # What needs more than an image tells nothing of its pixels.
        ([FILE], (None, True)),
        ([FILE, SEVERAL], (None, True)),
        ([FILE, NORMALISE, SEVERAL], (None, False)),
    ],
)
def test_a_pipeline_that_changes_pixels_leaves_them_unknown(
    tiny: Tiny, steps: list[dict[str, Any]], found: tuple[str | None, bool]
) -> None:
    loader = dict(dataset=dict(type='ImageNet', pipeline=steps))
    cfg = Config(dict(default_scope='mmpretrain', val_dataloader=loader))
    facts = facts_of(Network(build_model(tiny.classifier())), cfg, 18, None)
    assert (facts['channel_order'], facts['mean'] is not None) == found
    assert (facts['mean'] is None) == (facts['std'] is None)


def test_data_sets_that_are_read_in_two_ways_have_no_channel_order(tiny: Tiny) -> None:
    datasets = [dict(pipeline=[FILE, PACK]), dict(pipeline=[PACK])]
    loader = dict(dataset=dict(type='ConcatDataset', datasets=datasets))
    cfg = Config(dict(default_scope='mmpretrain', val_dataloader=loader))
    facts = facts_of(Network(build_model(tiny.classifier())), cfg, 18, None)
    assert facts['channel_order'] is None
    assert facts['mean'] is not None


@pytest.mark.parametrize(
    ('settings', 'names'),
    [
        (dict(classes=['a', 'b']), ['a', 'b']),
        (dict(metainfo=dict(classes=('a', 'b'))), ['a', 'b']),
        (dict(classes='names.txt'), None),
        (dict(metainfo=dict(classes='names.txt')), None),
    ],
)
def test_names_in_a_config(settings: dict[str, Any], names: list[str] | None) -> None:
    loader = dict(dataset=dict(type='ImageNet', **settings))
    cfg = Config(dict(default_scope='mmpretrain', val_dataloader=loader))
    assert names_in_config(cfg) == names


def test_labels_do_not_tell_how_images_are_read() -> None:
    cfg = load_config(str(CONFIGS / 'students/deeplabv3-w16_camvid.py'))
    own = Network(build_model(dict(cfg.model, _scope_='mmseg')))
    [labels] = [i for i in cfg.val_dataloader.dataset.pipeline if 'Anno' in i.type]
    labels.update(reduce_zero_label=True, imdecode_backend='tifffile')
    facts = facts_of(own, cfg, 18, None)
    assert facts['channel_order'] == 'RGB'
    assert facts['mean'] is not None
