"""Settings, initialisation and loss values match the published code."""

import math
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, interpolate

from mmkd.config.experiments import load_config, set_methods
from mmkd.models import ModelView, Tap, build_model, capture
from mmkd.models.build import model_dict
from mmkd.models.methods import FitNet, Method
from mmkd.registry import METHODS

ROOT = Path(__file__).parents[2] / 'configs'


def view_of(config: Any) -> ModelView:
    config = dict(model_dict(config))
    config.setdefault('_scope_', 'mmpretrain')
    return ModelView(build_model(config).eval())


def built(pair: str, name: str, **views: ModelView) -> tuple[Method, ModelView]:
    """A pair's method with its settings, and its student."""
    cfg = load_config(pair)
    set_methods(cfg, [name])
    [settings] = cfg.model.methods.to_dict().values()
    student = view_of(cfg.model.student.to_dict())
    views = {'student': student, 'teacher': student, **views}
    with DefaultScope.overwrite_default_scope('mmkd'):
        return METHODS.build(settings, default_args=views), student


def composed(pair: str, method: str) -> dict[str, Any]:
    cfg = load_config(pair)
    set_methods(cfg, [method])
    [settings] = cfg.model.methods.to_dict().values()
    return settings


@pytest.mark.parametrize(
    ('pair', 'weights'),
    [
        ('resnet32x4_resnet8x4_cifar100', (2, 2, 4)),
        ('resnet34_resnet18_imagenet', (2, 2, 1)),
        ('resnet50_mobilenetv1_imagenet', (2, 2, 1)),
        ('deeplabv3_r18_cityscapes', (1, 1, 1)),
    ],
)
def test_weights_and_temperature_of_dist(pair: str, weights: tuple[int, ...]) -> None:
    settings = composed(pair, 'dist')
    loss = settings['loss']
    assert (loss['beta'], loss['gamma'], loss['tau']) == weights
    assert settings['weight'] == 1


def test_skd_is_cirkds() -> None:
    settings = composed('deeplabv3_r18_cityscapes', 'skd')
    assert settings['loss'] == dict(type='PairwiseAffinityLoss', region=2)
    assert settings['weight'] == 10


@pytest.mark.parametrize('pair', ['resnet34_resnet18', 'resnet50_mobilenetv1'])
def test_dual_head_distils_in_49_epochs_of_imagenet(pair: str) -> None:
    settings = composed(f'{pair}_imagenet', 'dhkd')
    assert (settings['weight'], settings['stop']) == (0.1, 49)


@pytest.mark.parametrize(
    ('pair', 'std'),
    [
        ('vgg13_vgg8_cifar100', 0.01),
        ('resnet50_mobilenetv2_cifar100', 0.01),
        ('mobilenetv2_vgg13_svhn', 0.01),
        ('wrn40-2_wrn16-2_cifar100', None),
        ('wrn40-2_wrn16-2_svhn', None),
    ],
)
def test_auxiliary_heads_start_as_published(pair: str, std: float | None) -> None:
    torch.manual_seed(0)
    method, _ = built(pair, 'dhkd')
    layers = [layer for layer in method.modules() if isinstance(layer, nn.Linear)]
    assert layers
    for layer in layers:
        # PyTorch's default is uniform within 1 / sqrt(d).
        expected = std or 1 / math.sqrt(3 * layer.in_features)
        assert layer.weight.std().item() == pytest.approx(expected, rel=0.1)
        assert (layer.weight.abs().max() > 3 * expected) == (std is not None)
        assert not layer.bias.any()


@pytest.mark.parametrize(
    ('model', 'stage'),
    [
        ('mobilenetv2', 'layer2'),
        ('resnet50', 'layer2'),
        ('resnet20', 'layer2'),
        ('wrn16-2', 'layer2'),
        ('shufflenetv2', 'layer2'),
        ('vgg8', 'layer3'),
        ('vgg13', 'layer3'),
    ],
)
def test_fitnet_takes_the_published_hint_layer(model: str, stage: str) -> None:
    """The third of the published networks' maps, counting the stem's."""
    cfg = Config.fromfile(ROOT / f'_base_/models/{model}_cifar.py')
    view = view_of(cfg.model.to_dict())
    method = FitNet(student=view, teacher=view)
    assert method.student_tap.path == f'backbone.{stage}'
    assert method.teacher_tap.path == f'backbone.{stage}'


STAGES = [f'backbone.layer{stage}' for stage in (1, 2, 3)]
FOUR = [*STAGES, 'backbone.layer4']
OF_VGG = [f'backbone.layer{stage}' for stage in (2, 3, 4, 5)]
OF_WRN = ['backbone.layer2.0.relu', 'backbone.layer3.0.relu', 'backbone.tail']


@pytest.mark.parametrize(
    ('pair', 'source'),
    [
        ('vgg13_vgg8', 'weight a guess'),
        ('vgg13_mobilenetv2', 'weight a guess'),
        ('resnet50_vgg8', 'weight a guess'),
        ('resnet50_mobilenetv2', 'weight a guess'),
        ('resnet56_resnet20', "pair's"),
        ('resnet110_resnet32', "pair's"),
        ('resnet32x4_resnet8x4', 'published'),
        ('wrn40-2_wrn16-2', 'published'),
    ],
)
def test_a_guessed_weight_of_reviewkd_is_not_called_published(
    pair: str, source: str
) -> None:
    cfg = load_config(f'{pair}_cifar100')
    set_methods(cfg, ['reviewkd'])
    assert cfg.model.methods.reviewkd.source == source


@pytest.mark.parametrize(
    ('pair', 'weight', 'stages', 'after_relu'),
    [
        ('vgg13_vgg8', 5, OF_VGG, OF_VGG),
        ('vgg13_mobilenetv2', 5, FOUR, OF_VGG),
        ('resnet50_vgg8', 5, OF_VGG, FOUR),
        ('resnet32x4_resnet8x4', 5, STAGES, STAGES),
        ('resnet32x4_shufflenetv2', 8, STAGES, STAGES),
        ('resnet56_resnet20', 0.6, STAGES, STAGES),
        ('resnet110_resnet32', 1, STAGES, STAGES),
        ('wrn40-2_wrn16-2', 5, STAGES, OF_WRN),
    ],
)
def test_levels_of_reviewkd(
    pair: str, weight: float, stages: list[str], after_relu: list[str]
) -> None:
    """The student's stages meet the teacher's maps before their last ReLU."""
    pair = f'{pair}_cifar100'
    teacher = view_of(load_config(pair).model.teacher.config)
    method, _ = built(pair, 'reviewkd', teacher=teacher)
    assert method.weight == weight
    assert [tap.path for tap in method.taps_in_student[:-1]] == stages
    ends = [Tap(path) for path in after_relu]
    with torch.no_grad(), capture(teacher.model, [*method.taps_in_teacher, *ends]) as x:
        teacher.model(torch.randn(2, 3, 32, 32), mode='tensor')
    for before, end in zip(method.taps_in_teacher, ends, strict=False):
        assert (x[before] < 0).any()
        torch.testing.assert_close(x[before].relu(), x[end])


def test_value_of_reviewkd_on_vgg() -> None:
    """The published loss, computed from maps of a forward pass by hand."""
    pair = 'vgg13_vgg8_cifar100'
    teacher = view_of(load_config(pair).model.teacher.config)
    method, student = built(pair, 'reviewkd', teacher=teacher)
    models = student.model.double(), teacher.model.double()
    images = torch.randn(2, 3, 32, 32, dtype=torch.float64)
    stages = (maps(model, images)[1:] for model in models)
    levels = list(zip(method.double().eval().fusions, *stages, strict=True))
    expected, deeper = 0.0, None
    for fusion, (own, _), (other, before) in reversed(levels):
        x = fusion.enter(own)
        if deeper is not None:
            y = interpolate(deeper, x.shape[2:], mode='nearest')
            shares = fusion.attention(torch.cat([x, y], 1))
            x = x * shares[:, :1] + y * shares[:, 1:]
        deeper = x
        assert x.shape[2:] == other.shape[2:]
        weights, terms = 0.0, 0.0
        for power, pool in enumerate((x.shape[2], 4, 2, 1)):
            if power and pool >= x.shape[2]:
                continue
            weight = 2.0 ** -len({p for p in (4, 2, 1) if pool <= p < x.shape[2]})
            difference = adaptive_avg_pool2d(fusion.leave(x) - before, pool)
            terms += weight * difference.square().mean().item()
            weights += weight
        expected += terms / weights

    taps = method.taps_in_student, method.taps_in_teacher
    values = []
    for model, wanted in zip(models, taps, strict=True):
        with capture(model, wanted) as captured:
            model(images)
        values.append(captured)
    loss = method.loss(*values, targets=None)['loss']

    assert loss.item() == pytest.approx(expected, rel=1e-8)


def maps(model: nn.Module, images: Tensor) -> list[tuple[Tensor, Tensor]]:
    """For each VGG stage the map after and before its ReLU; the pooled one last."""
    x, found = images, []
    for stage in range(1, 6):
        before = getattr(model.backbone, f'layer{stage}')[:-1](x)
        x = before.relu()
        found.append((x, before))
    pooled = x.mean((2, 3), keepdim=True)
    return [*found, (pooled, pooled)]


def published() -> list[tuple[str, str]]:
    """The configs with a published result in a README."""
    found = []
    for readme in sorted(ROOT.glob('*/README.md')):
        text = readme.read_text()
        if re.search(r'^\| config \| published', text, re.M):
            rows = re.findall(r'^\| \[(.*?)\]\(.*?\) \| (.*?) \|$', text, re.M)
            found += [(readme.parent.name, name) for name, figure in rows if figure]
    return found


@pytest.mark.parametrize(('method', 'name'), published())
def test_published_figures_stand_beside_their_setting(method: str, name: str) -> None:
    cfg = load_config(f'mmkd::{method}/{name}.py')
    optimizer = cfg.optim_wrapper.optimizer
    schedule = cfg.param_scheduler
    rate = 0.01 if re.search('_(mobile|shuffle)net', name) else 0.05
    if name.endswith('cityscapes'):
        rate, decay, batch = 0.02, 1e-4, 16
        assert cfg.train_cfg.max_iters == schedule[0].end == 40000
        assert schedule[0].eta_min == 0
        assert cfg.train_dataloader.batch_size == 2
        steps = [step.type for step in cfg.train_dataloader.dataset.pipeline]
        assert 'PhotoMetricDistortion' not in steps
    else:
        decay, batch = 5e-4, 64
        if method == 'reviewkd':
            rate, batch = 2 * rate, 128
        assert cfg.train_cfg.max_epochs == 240
        assert schedule.milestones == [150, 180, 210]
        assert cfg.train_dataloader.batch_size == batch
    assert (optimizer.lr, optimizer.weight_decay) == (rate, decay)
    assert optimizer.get('nesterov', False) == (method == 'reviewkd')
    assert cfg.auto_scale_lr.base_batch_size == batch


def test_the_five_figures_of_cityscapes_are_shown() -> None:
    shown = [method for method, name in published() if name.endswith('cityscapes')]
    assert shown == ['cirkd', 'cwd', 'dist', 'ifvd', 'skd']


def dual_head_rows() -> list[list[str]]:
    text = (ROOT / 'dhkd/README.md').read_text()
    rows = re.findall(r'^\| \[(.*?)\]\(.*?\) \| (.*) \|$', text, re.M)
    return [[name, *rest.split(' | ')] for name, rest in rows]


@pytest.mark.parametrize('row', dual_head_rows(), ids=lambda row: row[0])
def test_the_table_of_dual_head_is_that_of_the_configs(row: list[str]) -> None:
    name, head, alpha, alignment, source = row
    method = load_config(f'mmkd::dhkd/{name}.py').model.methods.dual_head
    kind = {'linear': 'LinearClassifier', 'nonlinear': 'MLPClassifier'}[head]
    assert method['head']['type'] == kind
    assert float(alpha.split(',')[0]) == method.weight
    assert ('49 epochs' in alpha) == (method.get('stop') == 49)
    assert method.get('gradient_alignment', False) == (alignment == 'yes')
    assert source in ('all', 'alignment', 'none')
