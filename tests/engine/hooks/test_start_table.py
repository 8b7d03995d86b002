import copy
import random
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config

from mmkd.engine import StartTableHook
from mmkd.engine.optim.constructor import keep_methods_apart

TABLE = dict(
    start_table=dict(type='mmkd.StartTableHook'),
    distill_schedule=dict(type='mmkd.DistillScheduleHook'),
)
METHODS = dict(
    dual_head=dict(type='DualHead', weight=0.25, start=1, source='a paper'),
    kd=dict(type='LogitsKD', weight=0.75, task_weight=0.5),
)


def started(
    tiny: Any, task: str, name: str = 'run', model: Any = None, **settings: Any
) -> Any:
    wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.125))
    cfg = Config(dict(model=dict(student={}), optim_wrapper=wrapper))
    keep_methods_apart(cfg)
    return tiny.runner(
        model or tiny.distiller(task, METHODS),
        task,
        name,
        **dict(optim_wrapper=cfg.optim_wrapper) | settings,
    )


def logged(runner: Any) -> str:
    [path] = Path(runner.work_dir).glob('*/*.log')
    return path.read_text()


def row(text: str, start: str) -> str:
    [line] = [
        line for line in text.splitlines() if re.match(rf'\W*{start}\b(?!:)', line)
    ]
    return line


def test_it_says_what_is_trained_once(tiny: Any, task: str) -> None:
    student = tiny.plain(task)
    runner = started(tiny, task, default_hooks=TABLE, log_level='INFO')
    runner.train()

    text = logged(runner)
    assert text.count('multiply-adds at') == 1
    assert 'Unsupported operator' not in text
    assert 'never called' not in text
    distiller = runner.model
    parts = dict(student=student, teacher=distiller.teacher.model)
    for name, model in parts.items():
        count = sum(p.numel() for p in model.parameters())
        assert f'{count:,}' in row(text, name)
        assert type(model).__name__ in row(text, name)
        assert re.search(r'\d[KMG]', row(text, name))
    assert '0.5' in row(text, 'task')
    dual, kd = row(text, 'dual_head'), row(text, 'kd')
    for words in ('0.25', 'from 1', '0.125', 'a paper'):
        assert words in dual
    for words in ('0.75', 'always', 'parameters'):
        assert words in kd
    view = distiller.student_view
    # From the batch's images, not from the blank ones used to inspect the models.
    shape = {'images': '8', 'pixels': '6 x 4 x 4'}[task]
    words = ' '.join(re.split(r'[│\s]+', text))
    assert f'student: input of {view.classifier}, {shape}' in words
    assert 'teacher: output of the model, ' in words


@pytest.mark.parametrize('training', [True, False])
def test_the_look_leaves_no_trace(tiny: Any, task: str, training: bool) -> None:
    runner = started(tiny, task)
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    loader = runner.build_dataloader(runner._train_dataloader)
    batch = next(iter(loader))
    before_batch = copy.deepcopy(batch['inputs'])
    distiller = runner.model.train(training)
    distiller.backbone.eval()
    modes = [module.training for module in distiller.modules()]
    hooks = [len(module._forward_hooks) for module in distiller.modules()]
    state = copy.deepcopy(distiller.state_dict())
    frozen = copy.deepcopy(distiller.teacher.model.state_dict())
    draws = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()

    StartTableHook().before_train_iter(runner, 0, batch)

    assert [module.training for module in distiller.modules()] == modes
    assert [len(m._forward_hooks) for m in distiller.modules()] == hooks
    for ours, kept in (
        (distiller.state_dict(), state),
        (distiller.teacher.model.state_dict(), frozen),
    ):
        assert ours.keys() == kept.keys()
        assert all(torch.equal(value, kept[key]) for key, value in ours.items())
    assert list(distiller._modules)[-1] == 'methods'
    assert random.getstate() == draws[0]
    assert np.random.get_state()[1].tolist() == draws[1]
    assert torch.equal(torch.get_rng_state(), draws[2])
    for one, other in zip(batch['inputs'], before_batch, strict=True):
        assert torch.equal(one, other)


def test_the_run_is_bitwise_the_same_without_it(tiny: Any, task: str) -> None:
    without = dict(distill_schedule=TABLE['distill_schedule'])
    models = [tiny.distiller(task, METHODS) for _ in range(2)]
    states = []
    for model, hooks in zip(models, (TABLE, without), strict=True):
        name = f'run_{len(states)}'
        runner = started(tiny, task, name, model, default_hooks=hooks)
        runner.train()
        states.append(runner.model.state_dict())

    for key, value in states[0].items():
        assert torch.equal(value, states[1][key]), key


def test_it_says_what_is_known_of_the_classes_order(tiny: Any) -> None:
    runner = started(tiny, 'images', default_hooks=TABLE, log_level='INFO')
    runner.train()
    feature = dict(fitnet=dict(type='FitNet', stage=0))
    other = tiny.distiller('images', feature)
    silent = started(
        tiny, 'images', 'other', other, default_hooks=TABLE, log_level='INFO'
    )
    silent.train()

    checked = "class order not checked: the teacher's checkpoint names no classes"
    assert checked in logged(runner)
    assert 'class order' not in logged(silent)
