import torch
from torch.nn.functional import normalize

from mmkd.models.memories import ClassQueue


def test_a_queue_replaces_its_oldest() -> None:
    torch.manual_seed(0)
    queue = ClassQueue(num_classes=3, size=4, channels=2)
    start = queue.rows.clone()
    torch.testing.assert_close(start.norm(dim=2), torch.ones(3, 4))
    rows = normalize(torch.randn(7, 2))
    queue.push(5 * rows[:3], torch.tensor([1, 1, 1]))
    queue.push(rows[3:], torch.tensor([1, 0, 1, 1]))
    expected = torch.stack([rows[5], rows[6], rows[2], rows[3]])
    torch.testing.assert_close(queue.rows[1], expected)
    torch.testing.assert_close(queue.rows[0, 0], rows[4])
    assert torch.equal(queue.rows[0, 1:], start[0, 1:])
    assert torch.equal(queue.rows[2], start[2])
    assert queue.ends.tolist() == [1, 2, 0]


def test_a_queue_takes_the_last_of_too_many() -> None:
    queue = ClassQueue(num_classes=1, size=2, channels=2)
    rows = normalize(torch.randn(5, 2))
    queue.push(rows, torch.zeros(5, dtype=torch.int64))
    torch.testing.assert_close(queue.rows[0], rows[3:])


def test_a_draw_has_each_entry_once_at_most() -> None:
    queue = ClassQueue(num_classes=2, size=5, channels=3)
    drawn = queue.draw(3)
    assert drawn.shape == (2, 3, 3)
    matches = (drawn[0][:, None] == queue.rows[0][None]).all(2)
    assert matches.sum(0).max() == 1
    assert queue.draw(9).shape == (2, 5, 3)
