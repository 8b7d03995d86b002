from collections import deque

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from mmkd.models.memories import ClassQueue


def offered(rows: Tensor, labels: list[int], classes: int) -> tuple[Tensor, Tensor]:
    """Rows of one class each, in the form that the queue takes."""
    valid = torch.tensor(labels).unsqueeze(1) == torch.arange(classes)
    return rows.unsqueeze(1).expand(-1, classes, -1), valid


def test_a_queue_replaces_its_oldest() -> None:
    torch.manual_seed(0)
    queue = ClassQueue(num_classes=3, size=4, channels=2)
    start = queue.rows.clone()
    torch.testing.assert_close(start.norm(dim=2), torch.ones(3, 4))
    rows = normalize(torch.randn(7, 2))
    queue.push(*offered(5 * rows[:3], [1, 1, 1], 3))
    queue.push(*offered(rows[3:], [1, 0, 1, 1], 3))
    expected = torch.stack([rows[5], rows[6], rows[2], rows[3]])
    torch.testing.assert_close(queue.rows[1], expected)
    torch.testing.assert_close(queue.rows[0, 0], rows[4])
    assert torch.equal(queue.rows[0, 1:], start[0, 1:])
    assert torch.equal(queue.rows[2], start[2])
    assert queue.ends.tolist() == [1, 2, 0]


@pytest.mark.parametrize('offers', [1, 3, 9])
def test_a_queue_holds_the_latest_of_each_class(offers: int) -> None:
    generator = torch.Generator().manual_seed(offers)
    queue = ClassQueue(num_classes=4, size=5, channels=2)
    naive = [deque(rows, maxlen=5) for rows in queue.rows.clone()]
    for _ in range(20):
        rows = normalize(torch.randn(offers, 4, 2, generator=generator), dim=2)
        valid = torch.rand(offers, 4, generator=generator) < 0.6
        queue.push(rows, valid)
        for label, kept in enumerate(naive):
            kept.extend(rows[valid[:, label], label])
            oldest_first = queue.rows[label].roll(-int(queue.ends[label]), 0)
            torch.testing.assert_close(oldest_first, torch.stack(list(kept)))


def test_a_draw_has_each_entry_once_at_most() -> None:
    queue = ClassQueue(num_classes=2, size=5, channels=3)
    drawn = queue.draw(3)
    assert drawn.shape == (2, 3, 3)
    matches = (drawn[0][:, None] == queue.rows[0][None]).all(2)
    assert matches.sum(0).max() == 1
    assert queue.draw(9).shape == (2, 5, 3)
