from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from mmengine.dataset import BaseDataset, ConcatDataset, RepeatDataset
from mmengine.runner import Runner
from torch import Tensor
from torch.nn.functional import normalize

CRD = dict(
    type='CRD',
    channels=6,
    negatives=9,
    loss=dict(type='ContrastiveRepresentationLoss', tau=0.3),
    weight=0.5,
)
LABELS = [0, 1, 2, 3, 0, 1, 2, 3, 0, 0]


class Images(BaseDataset):
    """Noise images with the classes of ``LABELS``."""

    labels: ClassVar[list[Any]] = LABELS

    def load_data_list(self) -> list[dict[str, Any]]:
        generator = torch.Generator().manual_seed(0)
        return [
            dict(
                img=torch.randint(
                    256, (16, 16, 3), dtype=torch.uint8, generator=generator
                ).numpy(),
                gt_label=label,
            )
            for label in self.labels
        ]


def prepared(bench: Any, **methods: Any) -> Any:
    trial = bench('images', crd=CRD, **methods)
    trial.method.prepare(Images())
    return trial


def contrast(anchors: Tensor, memory: Tensor, rows: Tensor) -> Tensor:
    """The noise-contrastive estimation of the paper's equation 18, term by term."""
    size, negatives = len(memory), rows.shape[1] - 1
    p = torch.stack(
        [(memory[row] @ v / 0.3).exp() for v, row in zip(anchors, rows, strict=True)]
    )
    p = p / (size * p.mean())
    h = p / (p + negatives / size)
    return -(h[:, 0].log() + (1 - h[:, 1:]).log().sum(1)).mean()


def test_contrasts_with_the_memory_and_updates_it(bench: Any) -> None:
    trial = prepared(bench)
    data = trial.data(numbered=True)
    memory = trial.method.memory
    student_memory, teacher_memory = memory.student.double(), memory.teacher.double()
    rows = memory.draw(torch.tensor([0, 2, 4, 6]), 9)

    loss = trial.loss(data)

    student, teacher = trial.features(data)
    method = trial.method.double()
    student = normalize(method.student_embedding(student))
    teacher = normalize(method.teacher_embedding(teacher))
    expected = contrast(student, teacher_memory, rows)
    expected = expected + contrast(teacher, student_memory, rows)
    assert loss.item() == pytest.approx(0.5 * expected.item(), rel=1e-4)

    student_memory[::2][:4] = normalize((student_memory[::2][:4] + student) / 2)
    torch.testing.assert_close(memory.student, student_memory, rtol=0, atol=1e-5)


def test_gradients_reach_student_and_both_embeddings(bench: Any) -> None:
    trial = prepared(bench)
    assert trial.check_gradients(trial.data(numbered=True)) == {'backbone'}
    assert trial.method.teacher_embedding.weight.grad.any()


def test_trains(bench: Any) -> None:
    prepared(bench).check_steps()


def test_a_trial_run_leaves_the_memory_alone(bench: Any) -> None:
    trial = prepared(bench)
    trial.check_trial_run(trial.data(numbered=True))


def test_trains_beside_multi_head(bench: Any) -> None:
    heads = dict(type='MultiHead', stages=(0, 1))
    trial = prepared(bench, multi_head=heads, kd=dict(type='LogitsKD'))
    terms = trial.terms(trial.data(numbered=True))
    assert {key.split('.')[1] for key in terms} == {'crd', 'multi_head', 'kd'}
    trial.check_steps()


def test_normalizers_stay_those_of_the_first_batch(bench: Any) -> None:
    trial = prepared(bench)
    memory = trial.method.memory
    assert memory.log_normalizers.isnan().all()
    trial.loss(trial.data(numbered=True))
    first = memory.log_normalizers.clone()
    assert first.isfinite().all()
    trial.loss(trial.data(seed=1, numbered=True))
    assert torch.equal(memory.log_normalizers, first)


def test_a_checkpoint_restores_the_memory(bench: Any, tmp_path: Path) -> None:
    def step(trial: Any, seed: int) -> None:
        trial.loss(trial.data(seed, numbered=True))

    straight, resumed = prepared(bench), bench('images', crd=CRD)
    step(straight, 0)
    torch.save(straight.distiller.state_dict(), tmp_path / 'state.pth')
    step(straight, 1)

    state = torch.load(tmp_path / 'state.pth', weights_only=True)
    resumed.distiller.load_state_dict(state)
    resumed.method.prepare(Images())
    step(resumed, 1)

    found = resumed.method.state_dict()
    assert {'memory.student', 'memory.teacher', 'memory.log_normalizers'} <= set(found)
    for name, value in straight.method.state_dict().items():
        assert torch.equal(found[name], value), name


def test_a_training_is_prepared_and_resumed(bench: Any, tmp_path: Path) -> None:
    """With the runner and weight averaging, as in the base config."""

    def train(folder: str, epochs: int, **settings: Any) -> dict[str, Tensor]:
        trial = bench('images', crd=CRD)
        runner = Runner(
            trial.distiller,
            str(tmp_path / folder),
            train_dataloader=dict(
                batch_size=5,
                dataset=Images(pipeline=[dict(type='mmpretrain.PackInputs')]),
                sampler=dict(type='DefaultSampler', shuffle=True),
                collate_fn=dict(type='default_collate'),
            ),
            train_cfg=dict(by_epoch=True, max_epochs=epochs),
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01)),
            custom_hooks=[
                dict(type='EMAHook'),
                dict(type='mmkd.PrepareMethodsHook'),
            ],
            randomness=dict(seed=0),
            experiment_name=f'{tmp_path.name}_{folder}_{epochs}',
            log_level='ERROR',
            **settings,
        )
        runner.train()
        return {k: v for k, v in trial.method.state_dict().items() if 'memory' in k}

    straight = train('straight', 2)
    last = tmp_path / 'straight' / 'epoch_1.pth'
    resumed = train('resumed', 2, load_from=str(last), resume=True)
    assert straight['memory.student'].shape == (10, 6)
    norms = straight['memory.student'].norm(dim=1)
    torch.testing.assert_close(norms, torch.ones(10))
    assert torch.equal(straight['memory.seed'], resumed['memory.seed'])
    for key in ('memory.student', 'memory.log_normalizers'):
        torch.testing.assert_close(straight[key], resumed[key])


def test_the_training_set_may_be_repeated(bench: Any) -> None:
    trial = bench('images', crd=CRD)
    trial.method.prepare(RepeatDataset(Images(), 3))
    assert trial.method.memory.labels.tolist() == LABELS


class OneClass(Images):
    labels: ClassVar[list[Any]] = [2, 2, 2]


class ManyClasses(Images):
    labels: ClassVar[list[Any]] = [[0, 1], [2], [3]]


@pytest.mark.parametrize(
    ('dataset', 'message'),
    [
        (OneClass(), 'all 3 training samples are of one class'),
        (ManyClasses(), 'CRD needs one gt_label for every image of ManyClasses'),
        (ConcatDataset([Images(), Images()]), 'one data set .* got ConcatDataset'),
        ([1, 2, 3], 'one data set .* got list'),
    ],
)
def test_training_sets_that_do_not_do(bench: Any, dataset: Any, message: str) -> None:
    trial = bench('images', crd=CRD)
    with pytest.raises(ValueError, match=message):
        trial.method.prepare(dataset)


def test_batches_without_indices_are_refused(bench: Any) -> None:
    trial = prepared(bench)
    with pytest.raises(ValueError, match="'sample_idx' must be among the meta_keys"):
        trial.loss(trial.data())


def test_mixed_images_are_refused(bench: Any) -> None:
    trial = prepared(bench)
    data = trial.data(numbered=True)
    for sample in data['data_samples']:
        sample.set_gt_score(torch.tensor([0.5, 0.5, 0, 0]))
    with pytest.raises(ValueError, match='leave out mixup and CutMix'):
        trial.loss(data)


def test_training_without_the_hook_is_refused(bench: Any) -> None:
    trial = bench('images', crd=CRD)
    with pytest.raises(RuntimeError, match='PrepareMethodsHook'):
        trial.loss(trial.data(numbered=True))


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(momentum=1.0), 'momentum must be at least 0 and below 1, got 1.0'),
        (dict(negatives=0), 'negatives must be at least 1, got 0'),
        (dict(channels=0), 'channels must be at least 1, got 0'),
        (dict(weight=-1), 'weight of CRD must be finite'),
    ],
)
def test_wrong_settings(bench: Any, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        bench('images', crd=CRD | settings)


def test_has_no_meaning_per_pixel(bench: Any) -> None:
    with pytest.raises(ValueError, match=r'CRD stores .* Use CIRKD for pixels'):
        bench('pixels', crd=CRD)
