import math

from benchmarks import losses


def test_each_loss_has_a_ratio() -> None:
    rows = list(losses.rows(rounds=2, shape=(2, 3, 8, 16)))
    assert [row.pair for row in rows] == ['2x3x8x16'] * len(losses.LOSSES)
    for row in rows:
        assert all(value > 0 and math.isfinite(value) for value in row.rounds)
