from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmengine.hooks import Hook
from mmengine.registry import HOOKS, LOOPS
from mmengine.runner import EpochBasedTrainLoop, Runner
from mmseg.datasets import BaseSegDataset
from torch import nn
from torch.utils.data import DataLoader, IterableDataset

from mmkd.resilience import TrainingGuardHook
from mmkd.resilience.reading import CorruptSampleError
from mmkd.runs.texts import NOT_FINITE, TEXTS

EACH = dict(
    checkpoint=dict(type='mmkd.AtomicCheckpointHook', interval=1, by_epoch=False)
)
GUARD = [dict(type='mmkd.TrainingGuardHook')]


def spoil(model: Any, iteration: int, name: str, value: float) -> None:
    """Replace a value in a model's log in one iteration."""
    parse = model.parse_losses
    logs: list[dict[str, Any]] = []

    def parse_losses(losses: dict[str, Any]) -> Any:
        total, log = parse(losses)
        logs.append(log)
        if len(logs) == iteration:
            log = log | {name: torch.tensor(value)}
        return total, log

    model.parse_losses = parse_losses


def test_hook_is_registered() -> None:
    assert isinstance(HOOKS.build(GUARD[0]), TrainingGuardHook)


@pytest.mark.parametrize('value', [float('nan'), float('inf'), float('-inf')])
def test_training_stops_before_the_checkpoint(
    runner_of: Callable[..., Runner], distiller: nn.Module, value: float
) -> None:
    spoil(distiller, 3, 'distill.dual_head.loss', value)
    runner = runner_of(distiller, default_hooks=EACH, custom_hooks=GUARD)

    with pytest.raises(FloatingPointError) as error:
        runner.train()

    message, folder = str(error.value), Path(runner.work_dir)
    assert NOT_FINITE.search('\n'.join(log.read_text() for log in folder.glob(TEXTS)))
    assert message.startswith(f'iteration 3: distill.dual_head.loss = {value}. ')
    assert f'the last checkpoint is {folder / "iter_2.pth"}. ' in message
    assert (folder / 'iter_2.pth').exists()
    assert not (folder / 'iter_3.pth').exists()


@pytest.mark.parametrize('name', ['weight', 'running_var'])
@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_weights_that_overflow_are_not_saved(
    runner_of: Callable[..., Runner], distiller: nn.Module, name: str, value: float
) -> None:
    class Overflow(Hook):
        def after_train_iter(self, runner: Runner, *_: Any, **__: Any) -> None:
            if runner.iter == 2:
                state = distiller.state_dict()
                state[f'backbone.bn1.{name}'][-1] = value

    hooks = [*GUARD, dict(type=Overflow, priority='ABOVE_NORMAL')]
    runner = runner_of(distiller, default_hooks=EACH, custom_hooks=hooks)

    with pytest.raises(FloatingPointError) as error:
        runner.train()

    message, folder = str(error.value), Path(runner.work_dir)
    assert NOT_FINITE.search('\n'.join(log.read_text() for log in folder.glob(TEXTS)))
    assert message.startswith('not finite after the last update, and not saved: ')
    assert f': backbone.bn1.{name}. Training stops' in message
    assert f'the last checkpoint is {folder / "iter_2.pth"}. ' in message
    assert (folder / 'last_checkpoint').read_text() == str(folder / 'iter_2.pth')
    assert sorted(path.name for path in folder.glob('iter_*')) == [
        'iter_1.pth',
        'iter_2.pth',
    ]


def test_mask_of_infinities_is_no_reason_to_stop(
    runner_of: Callable[..., Runner], distiller: nn.Module
) -> None:
    mask = torch.tensor([0.0, -torch.inf])
    distiller.register_buffer('mask', mask)
    runner = runner_of(distiller, default_hooks=EACH, custom_hooks=GUARD)

    runner.train()

    assert runner.iter == 4


def test_first_iteration_has_no_checkpoint(
    runner_of: Callable[..., Runner], distiller: nn.Module
) -> None:
    spoil(distiller, 1, 'loss_cls', float('nan'))
    runner = runner_of(distiller, default_hooks=EACH, custom_hooks=GUARD)

    with pytest.raises(FloatingPointError, match=r'1: loss_cls = nan.*is none yet\.'):
        runner.train()


def test_values_that_are_no_losses_may_be_anything(
    runner_of: Callable[..., Runner], distiller: nn.Module
) -> None:
    spoil(distiller, 3, 'acc', float('nan'))
    runner = runner_of(distiller, default_hooks=EACH, custom_hooks=GUARD)

    runner.train()

    assert runner.iter == 4


@pytest.mark.filterwarnings('error:Converting a tensor')
def test_losses_with_a_gradient_are_looked_at_without_a_warning(
    runner_of: Callable[..., Runner], distiller: nn.Module
) -> None:
    runner_of(distiller, custom_hooks=GUARD).train()


def test_empty_data_set_is_told(
    runner_of: Callable[..., Runner], distiller: nn.Module, tmp_path: Path
) -> None:
    (tmp_path / 'images').mkdir()
    (tmp_path / 'images/0.tiff').touch()
    # A data set with a serialised list raises an error itself when it is built.
    dataset = BaseSegDataset(
        data_root=str(tmp_path),
        data_prefix=dict(img_path='images'),
        serialize_data=False,
    )
    loader = dict(
        batch_size=4,
        num_workers=0,
        dataset=dataset,
        sampler=dict(type='InfiniteSampler'),
    )
    runner = runner_of(
        distiller,
        train_dataloader=loader,
        train_cfg=dict(by_epoch=False, max_iters=2),
        custom_hooks=GUARD,
    )

    with pytest.raises(ValueError, match=r'by BaseSegDataset under .*images.*--data-'):
        runner.train()


def test_empty_data_set_without_folders_is_told() -> None:
    loader = SimpleNamespace(dataset=[])
    runner = SimpleNamespace(train_loop=None, train_dataloader=loader)

    with pytest.raises(ValueError, match=r'no training images were found by list'):
        TrainingGuardHook().before_train(runner)  # type: ignore[arg-type]


def other_shapes(state: dict[str, Any]) -> dict[str, Any]:
    return {key: torch.cat([value.ravel()] * 2) for key, value in state.items()}


def head_alone(state: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in state.items() if 'layers.3' in key}


def another_head(state: dict[str, Any]) -> dict[str, Any]:
    return dict(state, **{'layers.3.weight': torch.ones(5, 4)})


WEIGHTS: dict[str, tuple[Any, str | None, str | None]] = {
    'in another entry': (lambda state: dict(model=state), None, None),
    'another head': (another_head, None, r'layers\.3\.weight \(5, 4\) for \(1, 4\)'),
    'a head alone': (head_alone, None, r'Missing keys: layers\.0\.weight'),
    'another network': (other_shapes, 'another network than Net', 'does not fit Net'),
    'other names': (lambda state: {'a.b': torch.ones(1)}, 'no weights', 'no weights'),
    'a list': (lambda state: [1, 2], 'a list of 2', 'a list of 2'),
}


@pytest.mark.parametrize('kind', WEIGHTS)
def test_weights_that_are_not_the_models(
    kind: str,
    trainer: Callable[..., Runner],
    validation: dict[str, Any],
    tmp_path: Path,
) -> None:
    """A training may start from some of them, a test needs all."""
    change, in_training, in_test = WEIGHTS[kind]
    state = trainer('other').model.state_dict()
    torch.save(change(state), tmp_path / 'a.pth')
    for what, message in (('train', in_training), ('val', in_test)):
        runner = trainer(load_from=str(tmp_path / 'a.pth'), length=1, **validation)
        if message is None:
            getattr(runner, what)()
        else:
            with pytest.raises(ValueError, match=rf"'.*a\.pth'.*{message}.*guard=None"):
                getattr(runner, what)()


class OwnLoop(EpochBasedTrainLoop):
    """A user's own loop."""


@pytest.fixture
def own_loop(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setitem(LOOPS.module_dict, 'OwnLoop', OwnLoop)
    return dict(type='OwnLoop', max_epochs=2)


def test_an_endless_epoch_of_an_own_loop(
    runner_of: Callable[..., Runner], distiller: nn.Module, own_loop: dict[str, Any]
) -> None:
    runner = runner_of(distiller, train_cfg=own_loop, custom_hooks=GUARD)
    runner._train_dataloader['sampler'] = dict(type='InfiniteSampler')

    with pytest.raises(ValueError, match='InfiniteSampler never ends'):
        runner.train()


def test_a_corrupt_file_in_an_own_loop(
    runner_of: Callable[..., Runner],
    distiller: nn.Module,
    own_loop: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runner = runner_of(distiller, train_cfg=own_loop, custom_hooks=GUARD)
    kind: Any = type(runner._train_dataloader['dataset'])

    def corrupt(self: Any, index: int) -> Any:
        raise OSError('cannot identify image file')

    monkeypatch.setattr(kind, '__getitem__', corrupt)
    with pytest.raises(CorruptSampleError, match=r'sample \d.*cannot identify'):
        runner.train()


def test_an_own_loop_over_a_stream(
    runner_of: Callable[..., Runner], distiller: nn.Module, own_loop: dict[str, Any]
) -> None:
    runner = runner_of(distiller, train_cfg=own_loop, custom_hooks=GUARD)
    data = runner._train_dataloader['dataset']

    class Stream(IterableDataset):
        def __len__(self) -> int:
            return len(data)

        def __iter__(self) -> Any:
            return (data[index] for index in range(len(data)))

    runner._train_dataloader = DataLoader(
        Stream(), batch_size=4, collate_fn=pseudo_collate
    )
    runner.train()
    assert runner.iter == 4


def test_an_endless_validation(trainer: Callable[..., Runner]) -> None:
    sampler = dict(type='InfiniteSampler', shuffle=False)
    loader = dict(batch_size=2, num_workers=0, dataset={}, sampler=sampler)
    runner = trainer(val_dataloader=loader, val_cfg={}, val_evaluator={})

    with pytest.raises(ValueError, match=r'^val_dataloader: Infin.* never ends'):
        runner.train()
