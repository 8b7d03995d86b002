import copy
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.logging import HistoryBuffer
from torch import nn

from mmkd.models import FrozenTeacher, Tap, build_model
from mmkd.models.discovery import OUTPUT
from mmkd.models.teachers import loading as source

HOW = r'`--teacher FILE`, or set `model\.teacher\.checkpoint`'


def saved(model: nn.Module, path: Path, wrap: Callable[[Any], Any]) -> str:
    torch.save(wrap(model.state_dict()), path)
    return str(path)


CHECKPOINTS: dict[str, Callable[[Any], Any]] = {
    'a bare state dict': lambda state: state,
    'a plain dict of tensors': dict,
    'of data parallelism': lambda state: {f'module.{k}': v for k, v in state.items()},
    'of MMEngine': lambda state: dict(
        meta=dict(epoch=1, dataset_meta=dict(classes=('road',))),
        state_dict=state,
        message_hub=dict(log_scalars=dict(loss=HistoryBuffer([1.0], [1]))),
        optimizer=dict(state={}, param_groups=[]),
    ),
    'of mmkd': lambda state: dict(
        state_dict={**state, 'methods.dual_head.head.classifier.bias': torch.ones(9)}
    ),
    'without batch counters': lambda state: {
        k: v for k, v in state.items() if not k.endswith('num_batches_tracked')
    },
}


@pytest.mark.parametrize('kind', CHECKPOINTS)
def test_checkpoint_is_loaded(
    tiny: Any, task: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(source, 'print_log', lambda text, **_: said.append(text))
    config, images = tiny.model(task), torch.randn(2, 3, 32, 32)
    model = build_model(config).eval()
    path = saved(model, tmp_path / 'teacher.pth', CHECKPOINTS[kind])

    frozen = FrozenTeacher(config, path)

    logits = frozen(images, [OUTPUT])[OUTPUT]
    assert logits.equal(model(images, mode='tensor'))
    assert said == [f"The teacher's weights are read from {path}"]


def test_config_is_read_from_a_file(tiny: Any, tmp_path: Path) -> None:
    config = Config(dict(model=tiny.classifier(), default_scope='mmpretrain'))
    preprocessor = config.model.pop('data_preprocessor')
    config.data_preprocessor = preprocessor | dict(type='ClsDataPreprocessor')
    config.model.head.type = 'LinearClsHead'
    config.dump(tmp_path / 'teacher.py')

    frozen = FrozenTeacher(**tiny.teacher(str(tmp_path / 'teacher.py')))

    assert frozen.view.classifier == 'head.fc'
    assert frozen.model.data_preprocessor.mean.flatten().tolist() == pytest.approx(
        preprocessor['mean']
    )


def test_given_config_is_not_changed(tiny: Any) -> None:
    config = tiny.segmentor()
    before = copy.deepcopy(config)

    FrozenTeacher(**tiny.teacher(config, num_classes=7), num_classes=7)

    assert config == before


def test_unused_weights_are_mentioned(
    tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(source, 'print_log', lambda text, **_: said.append(text))
    path = saved(
        build_model(tiny.segmentor()),
        tmp_path / 'teacher.pth',
        lambda state: state | {f'extra.{n}': torch.ones(1) for n in range(7)},
    )

    FrozenTeacher(tiny.segmentor(), path)

    assert len(said) == 2
    assert said[1].endswith('extra.0, extra.1, extra.2, extra.3, extra.4 and 2 more')


@pytest.mark.parametrize('checkpoint', [None, ''])
def test_teacher_is_never_random(tiny: Any, checkpoint: str | None) -> None:
    with pytest.raises(ValueError, match=f'teacher has no checkpoint.*{HOW}'):
        FrozenTeacher(tiny.segmentor(), checkpoint)


def test_missing_file(tiny: Any, tmp_path: Path) -> None:
    path = str(tmp_path / 'none.pth')

    match = rf'none\.pth.*cannot be reached.*{HOW}.*mmkd train'
    with pytest.raises(OSError, match=match) as error:
        FrozenTeacher(tiny.segmentor(), path)
    assert '..' not in str(error.value).replace(path, '')


def test_unreachable_address(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError('Network is unreachable')

    monkeypatch.setattr(torch.hub, 'download_url_to_file', refuse)

    with pytest.raises(OSError, match=rf'teacher\.pth.*unreachable.*{HOW}'):
        FrozenTeacher(tiny.segmentor(), 'https://example.org/teacher.pth')


def test_missing_weights_are_named(tiny: Any, tmp_path: Path) -> None:
    path = saved(
        build_model(tiny.segmentor()),
        tmp_path / 'teacher.pth',
        lambda state: {k: v for k, v in state.items() if 'head' not in k},
    )

    with pytest.raises(ValueError, match=r"does not fit Encoder") as error:
        FrozenTeacher(tiny.segmentor(), path)

    assert 'Missing keys: decode_head.conv_seg.weight, decode_' in str(error.value)
    assert ' more. Other shapes (' in str(error.value)
    assert 'Pass the config that the checkpoint was trained with' in str(error.value)


@pytest.mark.parametrize('key', ['head.fc.bias', 'decode_head.conv_seg.bias'])
def test_other_class_count_is_named(tiny: Any, key: str) -> None:
    config = tiny.classifier if key.startswith('head') else tiny.segmentor
    settings = tiny.teacher(config(classes=7))

    with pytest.raises(ValueError, match=rf'class count.*{key} \(7,\) for \(4,\)'):
        FrozenTeacher(config(), settings['checkpoint'])


def test_class_count_may_be_set(tiny: Any) -> None:
    settings = tiny.teacher(tiny.segmentor(classes=7))

    frozen = FrozenTeacher(tiny.segmentor(), settings['checkpoint'], num_classes=7)

    assert frozen.view.num_classes == 7


def test_teacher_is_frozen(tiny: Any, task: str) -> None:
    frozen = FrozenTeacher(**tiny.teacher(tiny.model(task)))
    before = copy.deepcopy(frozen.model.state_dict())
    images = torch.randn(2, 3, 16, 16, requires_grad=True)

    logits = frozen(images, [OUTPUT])[OUTPUT]

    assert not any(module.training for module in frozen.model.modules())
    assert not any(p.requires_grad for p in frozen.model.parameters())
    assert not logits.requires_grad
    after = frozen.model.state_dict()
    assert all(after[key].equal(value) for key, value in before.items())


def test_synchronised_norms_run_on_one_process(tiny: Any) -> None:
    config = tiny.segmentor()
    config['backbone']['norm_cfg'] = dict(type='SyncBN')

    frozen = FrozenTeacher(**tiny.teacher(config))

    modules = list(frozen.model.modules())
    assert not any(isinstance(module, nn.SyncBatchNorm) for module in modules)


def test_forward_ends_at_the_deepest_tap(
    tiny: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    frozen = FrozenTeacher(**tiny.teacher(tiny.segmentor()))
    ran: list[str] = []
    for name, module in frozen.model.named_modules():
        module.register_forward_hook(lambda *_, name=name: ran.append(name))
    monkeypatch.setattr(type(frozen.model), 'loss', None)
    images, taps = torch.randn(2, 3, 16, 16), [Tap('backbone.layer1')]

    frozen(images, taps)
    assert ran[-1] == 'backbone.layer1'
    assert 'backbone.layer2' not in ran
    ran.clear()

    frozen(images, [*taps, OUTPUT])
    assert ran[-2:] == ['decode_head.conv_seg', '']
    assert ran.count('decode_head.conv_seg') == 1
    assert not any(name.startswith('auxiliary_head') for name in ran)


def test_copies_share_the_teacher(tiny: Any) -> None:
    frozen = FrozenTeacher(**tiny.teacher(tiny.segmentor()))

    assert copy.deepcopy(frozen).model is frozen.model
    one, two = copy.deepcopy([frozen, frozen])
    assert one is two
    assert one.model is frozen.model


@pytest.mark.parametrize('value', [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    'key', ['decode_head.conv_seg.bias', 'backbone.bn1.running_var']
)
def test_weights_that_are_not_finite(
    tiny: Any, tmp_path: Path, value: float, key: str
) -> None:
    model = build_model(tiny.segmentor())
    model.state_dict()[key][1] = value
    path = saved(model, tmp_path / 'teacher.pth', dict)

    with pytest.raises(ValueError, match=rf'teacher\.pth.* are not finite: {key}\. '):
        FrozenTeacher(tiny.segmentor(), path)
