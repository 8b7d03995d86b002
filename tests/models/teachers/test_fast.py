import copy
import pickle
from typing import Any

import heads
import pytest
import torch
from every_method import METHODS_OF, ready
from torch import Tensor, nn
from torch._dynamo.testing import CompileCounter

from mmkd.models import FrozenTeacher, Tap
from mmkd.models.discovery import OUTPUT
from mmkd.models.teachers import frozen as source

PLAIN = dict(fold=False, channels_last=False)
FAST: dict[str, dict[str, Any]] = {
    'default': {},
    'folded': dict(channels_last=False),
    'channels last': dict(fold=False),
    'float32': dict(dtype='float32'),
    'bfloat16': dict(dtype='bfloat16'),
    'float16': dict(dtype='float16'),
    'compiled': dict(compile=dict(backend='aot_eager')),
}


def prepared(
    tiny: Any, task: str, taps: list[Tap], **settings: Any
) -> FrozenTeacher:
    frozen = FrozenTeacher(**tiny.teacher(tiny.model(task)), **settings)
    frozen.prepare(taps)
    return frozen


def taps_of(tiny: Any, task: str) -> list[Tap]:
    view = FrozenTeacher(**tiny.teacher(tiny.model(task))).view
    return [OUTPUT, view.feature, *view.stages]


@pytest.mark.parametrize('kind', FAST)
def test_fast_teachers_give_what_the_plain_one_gives(
    tiny: Any, task: str, kind: str
) -> None:
    images, taps = torch.randn(2, 3, 32, 32), taps_of(tiny, task)
    plain = prepared(tiny, task, taps, **PLAIN)(images, taps)
    fast = prepared(tiny, task, taps, **FAST[kind])(images, taps)
    bound = {'bfloat16': 0.02, 'float16': 0.005}.get(kind, 1e-5)
    for tap in taps:
        assert fast[tap].dtype == torch.float32
        assert not fast[tap].is_inference()
        assert not fast[tap].requires_grad
        assert (fast[tap] - plain[tap]).norm() <= bound * plain[tap].norm()


@pytest.mark.parametrize('kind', [*FAST, 'plain'])
@pytest.mark.parametrize(('task', 'name'), METHODS_OF)
def test_every_method_learns_the_same_from_it(
    tiny: Any, task: str, name: str, kind: str
) -> None:
    settings = PLAIN if kind == 'plain' else FAST[kind]
    gradients = []
    for chosen in (PLAIN, settings):
        teacher = tiny.teacher(tiny.model(task)) | chosen
        model, batch = ready(tiny, task, name, teacher=teacher)
        total, _ = model.parse_losses(model(**batch, mode='loss'))
        total.backward()
        gradients.append(gradient_of(model))
    plain, fast = gradients
    bound = {'bfloat16': 0.2, 'float16': 0.03}.get(kind, 1e-3)
    assert (fast - plain).norm() <= bound * plain.norm()
    if kind == 'plain':
        assert fast.equal(plain)


def gradient_of(model: nn.Module) -> Tensor:
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    return torch.cat([gradient.flatten() for gradient in gradients])


def test_what_no_method_captures_may_be_gone(tiny: Any) -> None:
    frozen = prepared(tiny, 'pixels', [OUTPUT])
    with pytest.raises(ValueError, match=r'backbone\.conv1 of the teacher.*fold=False'):
        frozen(torch.randn(1, 3, 32, 32), [OUTPUT, Tap('backbone.conv1')])


def test_half_precision_predicts_and_keeps_norms_exact(tiny: Any, task: str) -> None:
    frozen = prepared(tiny, task, [OUTPUT], fold=False, dtype='bfloat16')
    kinds = {
        (isinstance(module, nn.modules.batchnorm._BatchNorm), parameter.dtype)
        for module in frozen.model.modules()
        for parameter in module.parameters(recurse=False)
    }
    assert kinds == {(True, torch.float32), (False, torch.bfloat16)}
    batch = tiny.batch(task)
    model = tiny.distiller(task, dict(kd=dict(type='LogitsKD')))
    data = model.data_preprocessor(batch, training=False)
    assert len(frozen.predict(**data)) == len(batch['data_samples'])


def test_under_automatic_mixed_precision_taps_are_half(tiny: Any, task: str) -> None:
    frozen = prepared(tiny, task, [OUTPUT], dtype='bfloat16')
    with torch.autocast('cpu', torch.bfloat16):
        values = frozen(torch.randn(2, 3, 32, 32), [OUTPUT])
    assert values[OUTPUT].dtype == torch.bfloat16


@pytest.mark.parametrize('kind', ['input', 'output'])
def test_a_compiled_teacher_tells_the_calls_of_a_module_apart(
    tiny: Any, kind: Any
) -> None:
    path = 'backbone.layer1.0.relu'
    calls = [Tap(path, kind), Tap(path, kind, call=1)]
    # Other tests may have used up what one function may be compiled for.
    torch.compiler.reset()
    counter = CompileCounter()
    for taps in (calls, calls[:1], calls[1:]):
        plain = prepared(tiny, 'pixels', taps, **PLAIN)
        fast = prepared(tiny, 'pixels', taps, **PLAIN, compile=dict(backend=counter))
        fast.model(torch.randn(2, 3, 32, 32), mode='tensor')
        for _ in range(3):
            images = torch.randn(2, 3, 32, 32)
            expected, found = plain(images, taps), fast(images, taps)
            for tap in taps:
                torch.testing.assert_close(found[tap], expected[tap])
    assert counter.frame_count == 3


def test_weights_and_sizes_are_constants_to_the_compiler(tiny: Any) -> None:
    torch.compiler.reset()
    inputs: list[tuple[Any, ...]] = []

    def backend(graph: torch.fx.GraphModule, given: list[Any]) -> Any:
        inputs.append(tuple(each.shape for each in given))
        return graph

    teacher = prepared(tiny, 'images', [OUTPUT], compile=dict(backend=backend))
    for batch in (2, 1, 2):
        teacher(torch.randn(batch, 3, 32, 32), [OUTPUT])
    assert inputs == [((2, 3, 32, 32),), ((1, 3, 32, 32),)]


@pytest.mark.parametrize(('name', 'keeps'), [('DMHead', True), ('FCNHead', False)])
def test_a_teacher_that_keeps_its_layout_says_so(
    tiny: Any, name: str, keeps: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(source, 'print_log', lambda text, **_: said.append(text))
    teacher = FrozenTeacher(**tiny.teacher(heads.pixels(tiny, name)))
    teacher.prepare([OUTPUT])
    line = 'With channels-last weights, the teacher EncoderDecoder does not run'
    assert [text.startswith(line) for text in said] == [True] * keeps


def test_a_compiled_teacher_predicts(tiny: Any, task: str) -> None:
    """As the check of teachers lets it, before and after it has taught."""
    model = tiny.distiller(
        task,
        dict(kd=dict(type='LogitsKD')),
        teacher=tiny.teacher(tiny.model(task)) | FAST['compiled'],
    )
    data = model.data_preprocessor(tiny.batch(task), training=False)
    plain = prepared(tiny, task, [OUTPUT])
    score = model.student_view.task.predictions_of
    expected = [score(sample) for sample in plain.predict(**data)]
    for _ in range(2):
        found = [score(sample) for sample in model.teacher.predict(**data)]
        assert all(map(torch.equal, found, expected))
        model.teacher(data['inputs'], [OUTPUT])


@pytest.mark.parametrize('kind', ['default', 'compiled'])
def test_a_copy_that_moves_leaves_its_teacher_where_it_was(
    tiny: Any, task: str, kind: str
) -> None:
    """As an average on another device does."""
    teacher = tiny.teacher(tiny.model(task)) | FAST[kind]
    model = tiny.distiller(task, dict(kd=dict(type='LogitsKD')), teacher=teacher)
    images = torch.randn(2, 3, 32, 32)
    expected = model.teacher(images, [OUTPUT])[OUTPUT]
    moved = copy.deepcopy(model).double()
    assert model.teacher(images, [OUTPUT])[OUTPUT].equal(expected)
    values = moved.teacher(images.double(), [OUTPUT])[OUTPUT]
    assert values.dtype == torch.float64
    torch.testing.assert_close(values.float(), expected, rtol=1e-4, atol=1e-4)
    again = model.double().teacher(images.double(), [OUTPUT])[OUTPUT]
    torch.testing.assert_close(again, values)
    assert moved.teacher.model is not model.teacher.model
    assert moved.teacher.view.model is moved.teacher.model
    assert moved.teacher.classes.view is moved.teacher.view


def test_a_copy_that_stays_where_it_is_shares_the_weights(tiny: Any) -> None:
    model = tiny.distiller('images', dict(kd=dict(type='LogitsKD')))
    copied = copy.deepcopy(model).to('cpu').float()
    assert copied.teacher.model is model.teacher.model


@pytest.mark.parametrize('kind', ['default', 'compiled'])
def test_it_is_pickled_with_its_student(tiny: Any, task: str, kind: str) -> None:
    teacher = tiny.teacher(tiny.model(task)) | FAST[kind]
    model = tiny.distiller(task, dict(kd=dict(type='LogitsKD')), teacher=teacher)
    images = torch.randn(2, 3, 32, 32)
    model.teacher(images, [OUTPUT])
    copied = pickle.loads(pickle.dumps(model))
    assert copied.teacher(images, [OUTPUT])[OUTPUT].equal(
        model.teacher(images, [OUTPUT])[OUTPUT]
    )
