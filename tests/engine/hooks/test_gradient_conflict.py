import copy
from typing import Any

import pytest
import torch
from mmengine.registry import HOOKS, OPTIM_WRAPPERS
from torch.nn import functional as F  # noqa: N812

from mmkd.engine import GradientConflictHook
from mmkd.loss_groups import groups_of


def vector(loss: Any, parameters: list) -> Any:
    gradients = torch.autograd.grad(loss, parameters, retain_graph=True)
    return torch.cat([gradient.flatten().double() for gradient in gradients])


def batch_of(runner: Any) -> dict:
    return next(iter(runner.train_dataloader))


def scalars(runner: Any) -> dict[str, float]:
    return {
        name: history.current()
        for name, history in runner.message_hub.log_scalars.items()
        if 'grad_cos' in name
    }


def look(runner: Any, batch: dict | None = None) -> dict[str, float]:
    batch = batch_of(runner) if batch is None else batch
    hook = GradientConflictHook(interval=1)
    hook.before_train(runner)
    hook.before_train_iter(runner, 0, batch)
    return scalars(runner)


@pytest.fixture
def runner(distiller: Any, runner_of: Any) -> Any:
    runner = runner_of(distiller)
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    runner.build_train_loop(dict(by_epoch=True, max_epochs=1))
    return runner


def test_cosines_of_the_batch_about_to_be_trained_on(
    runner: Any, distiller: Any
) -> None:
    batch = batch_of(runner)
    torch.manual_seed(3)
    logged = look(runner, batch)
    again = copy.deepcopy(distiller)
    data = again.data_preprocessor(copy.deepcopy(batch), training=True)
    losses = again(**data, mode='loss')
    groups = groups_of(again.parse_losses(losses)[0])
    parts = dict(
        classifier=list(again.head.parameters()),
        rest=list(again.backbone.parameters()),
    )
    assert sorted(logged) == [f'train/grad_cos_{part}' for part in sorted(parts)]
    for part, parameters in parts.items():
        expected = F.cosine_similarity(
            *(vector(loss, parameters) for loss in groups), dim=0
        )
        assert logged[f'train/grad_cos_{part}'] == pytest.approx(expected.item(), 1e-5)


def test_a_part_that_one_loss_does_not_reach_has_no_cosine(
    runner: Any, distiller: Any
) -> None:
    distiller.methods['kd'].schedule_factor = 0.0
    assert list(look(runner)) == ['train/grad_cos_rest']


def test_nothing_is_logged_where_no_method_is_active(
    runner: Any, distiller: Any
) -> None:
    for method in distiller.named_methods.values():
        method.schedule_factor = 0.0
    assert look(runner) == {}


def test_stages_and_methods_each_have_their_own(
    runner: Any, distiller: Any
) -> None:
    batch = batch_of(runner)
    hook = GradientConflictHook(interval=1, by_stage=True, by_method=True)
    hook.before_train(runner)
    hook.before_train_iter(runner, 0, batch)
    logged = {
        name.removeprefix('train/'): history.current()
        for name, history in runner.message_hub.log_scalars.items()
        if '/grad_' in name
    }
    again = copy.deepcopy(distiller)
    data = again.data_preprocessor(copy.deepcopy(batch), training=True)
    losses = again(**data, mode='loss')
    task, both = groups_of(again.parse_losses(losses)[0])
    named = dict(again.backbone.named_parameters())
    stages = {
        'stage1': [p for n, p in named.items() if not n.startswith('layer2')],
        'stage2': [p for n, p in named.items() if n.startswith('layer2')],
        'rest': list(named.values()),
    }
    others = {
        '': both,
        '.kd': losses['distill.kd.loss'],
        '.dual_head': losses['distill.dual_head.loss'],
    }
    for part, parameters in stages.items():
        for suffix, loss in others.items():
            first, second = vector(task, parameters), vector(loss, parameters)
            cosine = F.cosine_similarity(first, second, dim=0).item()
            assert logged[f'grad_cos_{part}{suffix}'] == pytest.approx(cosine, 1e-4)
            ratio = (second.norm() / first.norm()).item()
            assert logged[f'grad_ratio_{part}{suffix}'] == pytest.approx(ratio, 1e-4)
    # The auxiliary head's loss does not reach the main classifier.
    assert 'grad_cos_classifier.kd' in logged
    assert 'grad_cos_classifier.dual_head' not in logged


def test_an_idle_method_has_no_cosine(runner: Any, distiller: Any) -> None:
    distiller.methods['kd'].schedule_factor = 0.0
    hook = GradientConflictHook(interval=1, by_method=True)
    hook.before_train(runner)
    hook.before_train_iter(runner, 0, batch_of(runner))
    assert list(scalars(runner)) == [
        'train/grad_cos_rest', 'train/grad_cos_rest.dual_head'
    ]


def test_a_student_without_one_classifier_is_measured_elsewhere(
    runner: Any, distiller: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(view: Any) -> str:
        raise ValueError('no recognisable main classifier')

    monkeypatch.setattr(type(distiller.student_view), 'classifier', property(none))
    said: list[str] = []
    monkeypatch.setattr(runner.logger, 'warning', said.append)
    assert list(look(runner)) == ['train/grad_cos_rest']
    assert said == [
        'grad_cos_classifier is not measured: no recognisable main classifier'
    ]


def test_accumulated_gradients_stay(runner: Any, distiller: Any) -> None:
    weight, bias = distiller.head.fc.parameters()
    weight.grad = torch.ones_like(weight)
    look(runner)
    assert torch.equal(weight.grad, torch.ones_like(weight))
    assert bias.grad is None


@pytest.mark.parametrize('interval', [1, 3])
def test_the_run_is_bitwise_the_same_without_it(
    distiller: Any, runner_of: Any, interval: int
) -> None:
    other = copy.deepcopy(distiller)
    hook = dict(type='mmkd.GradientConflictHook', interval=interval)
    watched = runner_of(distiller, custom_hooks=[hook])
    watched.train()
    runner_of(other, 'unwatched').train()
    assert len(watched.message_hub.get_scalar('train/grad_cos_rest')._log_history) == (
        4 // interval
    )
    for name, value in distiller.state_dict().items():
        assert torch.equal(value, other.state_dict()[name]), name


def test_the_cosine_of_gradient_alignment_is_logged(
    distiller: Any, runner_of: Any
) -> None:
    optimizer = dict(type='SGD', lr=0.1)
    runner = runner_of(
        distiller,
        custom_hooks=[dict(type='mmkd.GradientConflictHook', interval=1)],
        optim_wrapper=dict(type='mmkd.GradientAlignOptimWrapper', optimizer=optimizer),
    )
    runner.train()
    logged = scalars(runner)
    assert logged['train/grad_cos'] == pytest.approx(runner.optim_wrapper.cosine.item())
    assert {'train/grad_cos_classifier', 'train/grad_cos_rest'} < set(logged)


def test_a_compiled_model_is_run_as_it_is_written(runner: Any, distiller: Any) -> None:
    batch, calls = batch_of(runner), []

    def backend(graph: torch.fx.GraphModule, inputs: list) -> Any:
        calls.append(graph)
        return graph.forward

    distiller.forward = torch.compile(distiller.forward, backend=backend)
    runner.model.train_step(copy.deepcopy(batch), runner.optim_wrapper)
    compiled = len(calls)
    assert compiled > 0
    assert len(look(runner, batch)) == 2
    assert len(calls) == compiled


@pytest.mark.parametrize('interval', [0, -1, 2.5])
def test_an_interval_that_is_no_positive_whole_number_is_refused(
    interval: float,
) -> None:
    with pytest.raises(ValueError, match=f'interval .* got {interval}'):
        GradientConflictHook(interval=interval)


def test_a_model_that_is_no_distiller_is_refused(runner: Any) -> None:
    runner.model = torch.nn.Linear(1, 1)
    with pytest.raises(TypeError, match='Distiller, got the model Linear'):
        look(runner, {})


def test_names_are_found_from_mmengine() -> None:
    assert HOOKS.get('mmkd.GradientConflictHook') is GradientConflictHook
    for name in ('GradientAlignOptimWrapper', 'AmpGradientAlignOptimWrapper'):
        assert OPTIM_WRAPPERS.get(f'mmkd.{name}').__name__ == name
