"""Finding the weights of a network in a file."""

import copy
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mmkd.checkpoints.weight_fit import check_beginning, load_whole
from mmkd.checkpoints.weights import weights_for
from mmkd.models import build_model

State = dict[str, Tensor]


def network(width: int = 4, classes: int = 3) -> nn.Module:
    torch.manual_seed(width)
    body = nn.Sequential(nn.Conv2d(3, width, 1), nn.BatchNorm2d(width))
    return nn.ModuleDict(dict(backbone=body, head=nn.Linear(width, classes)))


def renamed(change: Callable[[str], str]) -> Callable[[State], State]:
    return lambda state: {change(name): value for name, value in state.items()}


PLACES: dict[str, Callable[[State], Any]] = {
    '': lambda state: state,
    'state_dict': lambda state: dict(state_dict=state, meta=dict(iter=1)),
    'parallel': renamed(lambda name: f'module.{name}'),
    'compiled': renamed(lambda name: f'_orig_mod.{name}'),
    'both': renamed(lambda name: f'module._orig_mod.{name}'),
    'a part compiled': renamed(lambda name: name.replace('.', '._orig_mod.', 1)),
}

OTHER_PLACES: dict[str, tuple[Callable[[State], Any], str]] = {
    'model': (
        lambda state: dict(model=state, optimizer=dict(state={}), epoch=3),
        "its entry 'model'",
    ),
    'average': (
        lambda state: dict(
            ema_state_dict={
                **{f'module.{name}': value for name, value in state.items()},
                'steps': torch.tensor(1),
            }
        ),
        "its entry 'ema_state_dict'",
    ),
    'a loss beside it': (
        lambda state: dict(net=state, loss=torch.tensor(0.5)),
        "its entry 'net'",
    ),
    'student': (
        renamed(lambda name: f'student.{name}'),
        "the names under 'student.'",
    ),
    'in state_dict': (
        lambda state: dict(state_dict=renamed(lambda name: f'net.{name}')(state)),
        "the names under 'net.'",
    ),
    'both': (
        lambda state: dict(model=renamed(lambda name: f'student.{name}')(state)),
        "its entry 'model' under 'student.'",
    ),
}


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    said = 'mmkd.checkpoints.weights.print_log'
    monkeypatch.setattr(said, lambda text, **_: lines.append(text))
    return lines


@pytest.mark.parametrize('place', PLACES)
def test_usual_places(place: str, said: list[str]) -> None:
    model = network()
    state = model.state_dict()

    found = weights_for(network(), PLACES[place](state), 'a.pth')

    assert all(found[name] is value for name, value in state.items())
    assert said == []


@pytest.mark.parametrize('place', OTHER_PLACES)
def test_other_places_are_said(place: str, said: list[str]) -> None:
    model = network()
    make, name = OTHER_PLACES[place]

    found = weights_for(network(), make(model.state_dict()), 'a.pth')

    assert found.keys() >= model.state_dict().keys()
    assert said == [f'the weights in a.pth are from {name}']


def test_versions_of_modules_are_kept() -> None:
    """A norm of version 1 has no batch counter, one of version 2 must have it."""
    state = network().state_dict()
    wrapped = OrderedDict((f'module.{name}', value) for name, value in state.items())
    wrapped._metadata = {  # type: ignore[attr-defined]
        f'module.{name}' if name else 'module': version
        for name, version in state._metadata.items()
    }
    found: Any = weights_for(network(), dict(state_dict=wrapped), 'a.pth')
    assert found._metadata == state._metadata


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ([1, 2, 3], 'it holds a list of 3'),
        (torch.zeros(2, 3), r'it holds a tensor of shape \(2, 3\)'),
        (None, 'it holds a NoneType'),
        (dict(meta={}, epoch=3), 'it holds the entries meta, epoch'),
        (dict(state_dict={'a.b': torch.ones(1)}), r'in its state_dict a\.'),
        (network()['backbone'].state_dict(), 'Pretrained'),
        (dict(meta=1, state_dict=[]), 'the entries meta, state_dict'),
        (
            {name: value.numpy() for name, value in network().state_dict().items()},
            r'the entries backbone\., head\. of type ndarray',
        ),
    ],
)
def test_what_it_holds_instead_is_said(content: Any, message: str) -> None:
    start = r"^b\.pth holds no weights for ModuleDict, whose names begin with "

    with pytest.raises(ValueError, match=rf'{start}backbone\., head\.; .*{message}'):
        weights_for(network(), content, 'b.pth')


def test_several_sets_are_not_chosen_from() -> None:
    state = network().state_dict()
    two = dict(model=state, model_ema=copy.deepcopy(state))
    with pytest.raises(ValueError, match=r"several .*'model', its entry 'model_ema'"):
        weights_for(network(), two, 'b.pth')
    pair = {f'{who}.{k}': v for who in ('student', 'teacher') for k, v in state.items()}
    with pytest.raises(ValueError, match=r"several .*'student\.', .*'teacher\.'"):
        weights_for(network(), dict(state_dict=pair), 'b.pth')


def changed(change: Callable[[Tensor], Tensor], name: str = '') -> State:
    state = network().state_dict()
    return {k: change(v) if name in k else v for k, v in state.items()}


@pytest.mark.parametrize(
    ('state', 'message'),
    [
        (changed(Tensor.int), r'b\.pth: backbone\.0\.weight is of type torch\.int32'),
        (changed(Tensor.bool, 'head'), r'head\.weight is of type torch\.bool'),
        (changed(lambda v: v * 1j, 'head.bias'), r'head\.bias is .*complex64'),
        (changed(torch.zeros_like), r'all weights in b\.pth are 0: backbone\.0\.w'),
        (changed(lambda v: v / 0, 'head.w'), r'not finite: head\.weight'),
        (changed(lambda v: v.to('meta'), 'head.w'), r'head\.weight .* on meta'),
        (changed(Tensor.to_sparse, 'head.w'), r'head\.weight is not a plain tensor'),
    ],
)
def test_values_that_no_training_gives(state: State, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        weights_for(network(), state, 'b.pth')


@pytest.mark.parametrize(
    'kind', [torch.float16, torch.bfloat16, torch.float64, torch.float8_e4m3fn]
)
def test_other_precisions_are_weights(kind: torch.dtype) -> None:
    weights_for(network(), changed(lambda value: value.to(kind)), 'b.pth')


def test_a_whole_network() -> None:
    model, state = network(), network().state_dict()
    for value in model.parameters():
        value.data.zero_()
    assert load_whole(model, {**state, 'more.weight': torch.ones(1)}, 'b.pth') == [
        'more.weight'
    ]
    assert all(value.equal(state[k]) for k, value in model.state_dict().items())
    part = {k: v for k, v in state.items() if k not in ('head.bias', 'backbone.0.bias')}
    message = r"^b\.pth does not fit .* keys: backbone\.0\.bias, head\.bias\. Other"
    with pytest.raises(ValueError, match=message):
        load_whole(model, part, 'b.pth')
    with pytest.raises(ValueError, match=r'keys: backbone\.0\.bias\. Other'):
        load_whole(model, part, 'b.pth', optional=('head.',))
    counted = {k: v for k, v in state.items() if 'num_batches' not in k}
    load_whole(model, counted, 'b.pth')
    with pytest.raises(ValueError, match=r'head\.weight \(9, 4\) for \(3, 4\)'):
        load_whole(model, network(classes=9).state_dict(), 'b.pth')


def test_modules_bring_old_weights_up_to_date() -> None:
    class Renaming(nn.Linear):
        def _load_from_state_dict(self, state: Any, prefix: str, *args: Any) -> None:
            state[f'{prefix}weight'] = state.pop(f'{prefix}old')
            super()._load_from_state_dict(state, prefix, *args)

    model = nn.Sequential(Renaming(2, 1), nn.Linear(1, 1))
    state = model.state_dict()
    state['0.old'] = state.pop('0.weight')
    load_whole(model, weights_for(model, state, 'b.pth'), 'b.pth')


def test_what_a_model_computes_itself_is_not_asked_for() -> None:
    """Swin Transformer V2 removes its tables from every state dict."""
    config = dict(
        type='mmpretrain.SwinTransformerV2',
        arch=dict(
            embed_dims=4,
            depths=[1] * 4,
            num_heads=[1] * 4,
            extra_norm_every_n_blocks=0,
        ),
        img_size=64,
        patch_size=2,
        window_size=[4] * 4,
    )
    model, other = build_model(copy.deepcopy(config)), build_model(config)
    load_whole(model, other.state_dict(), 'a file')
    names = {name for name, _ in model.named_parameters()}
    for name, value in other.state_dict().items():
        assert name not in names or model.state_dict()[name].equal(value)
    part = other.state_dict()
    del part['patch_embed.projection.weight']
    with pytest.raises(ValueError, match=r'keys: patch_embed\.projection\.weight\.'):
        load_whole(model, part, 'a file')


def test_another_head_is_a_beginning_and_another_network_is_none() -> None:
    state = network().state_dict()
    check_beginning(network(), network(classes=9).state_dict(), 'b.pth')
    body = {k: v for k, v in state.items() if k.startswith('backbone')}
    check_beginning(network(), body, 'b.pth')
    message = r'^b\.pth belongs to another network than ModuleDict: it has 6 of'
    with pytest.raises(ValueError, match=rf'{message} 6 weights, .*\(8, 3, 1, 1\)'):
        check_beginning(network(), network(width=8).state_dict(), 'b.pth')
    head = {k: v for k, v in state.items() if k.startswith('head')}
    with pytest.raises(ValueError, match=r'it has 0 of 6 weights'):
        check_beginning(network(), head, 'b.pth')


RESNET = dict(type='mmpretrain.ResNet', depth=18)
SWIN = dict(type='mmpretrain.SwinTransformer', arch='tiny')
NETWORKS = {
    'r18': RESNET,
    'r50': dict(RESNET, depth=50),
    'grey': dict(RESNET, in_channels=1),
    'mobile': dict(type='mmpretrain.MobileNetV2', widen_factor=0.25),
    'swin': dict(SWIN, img_size=224),
    'swin384': dict(SWIN, img_size=384, window_size=12),
}


@pytest.mark.parametrize(
    ('there', 'here', 'fits'),
    [
        ('r18', 'r50', False),
        ('r50', 'r18', False),
        ('mobile', 'r18', False),
        ('r18', 'grey', True),
        ('swin', 'swin384', True),
    ],
)
def test_networks_of_the_library(there: str, here: str, fits: bool) -> None:
    """Their position tables are resized on loading."""
    head = dict(type='mmpretrain.LinearClsHead', num_classes=2, in_channels=4)
    found, wanted = (
        build_model(
            dict(
                type='mmpretrain.ImageClassifier', backbone=NETWORKS[name], head=head
            )
        )
        for name in (there, here)
    )
    state = weights_for(wanted, found.state_dict(), 'b.pth')
    if fits:
        check_beginning(wanted, state, 'b.pth')
    else:
        with pytest.raises(ValueError, match='another network'):
            check_beginning(wanted, state, 'b.pth')
