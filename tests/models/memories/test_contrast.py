import pytest
import torch
from torch.nn.functional import normalize

from mmkd.models.memories import ContrastMemory

LABELS = torch.tensor([2, 0, 1, 2, 2, 0, 4, 1])


@pytest.fixture
def memory() -> ContrastMemory:
    torch.manual_seed(0)
    memory = ContrastMemory(channels=3, momentum=0.25)
    memory.prepare(LABELS)
    return memory


def test_negatives_are_all_samples_of_other_classes(memory: ContrastMemory) -> None:
    indices = torch.arange(8)
    drawn = memory.draw(indices, 4000)
    assert torch.equal(drawn[:, 0], indices)
    for index, row in enumerate(drawn[:, 1:]):
        label = LABELS[index]
        others = (label != LABELS).nonzero().flatten()
        counts = row.bincount(minlength=8)
        assert counts.nonzero().flatten().tolist() == others.tolist()
        share = counts[others] / 4000
        torch.testing.assert_close(
            share, torch.full_like(share, 1 / len(others)), rtol=0, atol=0.03
        )


def test_every_batch_draws_anew(memory: ContrastMemory) -> None:
    indices, rows = torch.tensor([0, 5]), torch.randn(2, 3)
    first = memory.draw(indices, 50)
    assert torch.equal(memory.draw(indices, 50), first)
    memory.update(rows, rows, indices)
    assert not torch.equal(memory.draw(indices, 50), first)


def test_entries_move_towards_the_new_embeddings(memory: ContrastMemory) -> None:
    before = memory.student.clone(), memory.teacher.clone()
    student, teacher = normalize(torch.randn(2, 2, 3), dim=2)
    memory.update(student, teacher, torch.tensor([6, 1]))
    for memory_of, old, fresh in zip(
        (memory.student, memory.teacher), before, (student, teacher), strict=True
    ):
        expected = old.clone()
        expected[6] = normalize(0.25 * old[6] + 0.75 * fresh[0], dim=0)
        expected[1] = normalize(0.25 * old[1] + 0.75 * fresh[1], dim=0)
        torch.testing.assert_close(memory_of, expected)


def test_the_last_of_a_repeated_sample_counts(memory: ContrastMemory) -> None:
    other = ContrastMemory(3, 0.25)
    other.load_state_dict(memory.state_dict())
    rows = torch.randn(4, 3)
    memory.update(rows, rows, torch.tensor([3, 1, 3, 0]))
    other.update(rows[1:], rows[1:], torch.tensor([1, 3, 0]))
    assert torch.equal(memory.student, other.student)


def test_embeddings_that_are_not_finite_leave_no_trace(memory: ContrastMemory) -> None:
    before = memory.student.clone()
    rows = torch.randn(2, 3)
    rows[0, 1] = torch.nan
    memory.update(rows, rows, torch.tensor([3, 1]))
    assert torch.equal(memory.student[3], before[3])
    assert not torch.equal(memory.student[1], before[1])


def test_preparing_anew_keeps_a_memory_of_the_same_size(memory: ContrastMemory) -> None:
    memory.normalizers(torch.zeros(2))
    before = memory.student.clone()
    memory.prepare(LABELS)
    assert torch.equal(memory.student, before)
    memory.prepare(LABELS[:5])
    assert memory.student.shape == (5, 3)
    assert memory.log_normalizers.isnan().all()


def test_one_class_has_no_negatives() -> None:
    memory = ContrastMemory(3, 0.5)
    with pytest.raises(ValueError, match='all 2 training samples are of one class'):
        memory.prepare(torch.tensor([3, 3]))


def test_one_of_another_training_set_begins_anew(memory: ContrastMemory) -> None:
    memory.normalizers(torch.tensor([3.0, 4.0]))
    other = ContrastMemory(3, 0.25)
    other.prepare(LABELS.repeat(2))
    before = {name: value.clone() for name, value in other.state_dict().items()}
    found = other.load_state_dict(memory.state_dict(), strict=False)
    assert sorted(found.missing_keys) == sorted(before)
    for name, value in other.state_dict().items():
        torch.testing.assert_close(value, before[name], equal_nan=True)
