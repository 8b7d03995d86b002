"""How each tap is stored, by the user's settings."""

import pytest
import torch

from mmkd.models.discovery import OUTPUT
from mmkd.models.taps import Tap
from mmkd.recording.plan import Wishes, rows_of_a_shard, stored_taps

TAPS = {OUTPUT: torch.zeros(1, 4, 6, 6), Tap('neck'): torch.zeros(1, 2, 4, 4)}


def test_the_models_own_output_has_a_name() -> None:
    taps = {tap.name: tap for tap in stored_taps(TAPS, Wishes(reduce={'output': 2}))}
    assert taps['output of the model'].reduce == 2
    assert [tap.shape for tap in stored_taps(TAPS, Wishes(live=['output']))] == [
        (2, 4, 4)
    ]
    with pytest.raises(ValueError, match=r'--reduce output=2.*--live output\)'):
        stored_taps(TAPS, Wishes(limit=100))
    with pytest.raises(ValueError, match=r"taps 'nack'.*Did you mean.*neck"):
        stored_taps(TAPS, Wishes(live=['nack']))


def test_a_record_has_shards_for_a_kill_to_spare_and_processes_to_share() -> None:
    """Whole batches, and files that are not huge, nor tiny if there are many rows."""
    taps = stored_taps(TAPS, Wishes())
    assert rows_of_a_shard(taps, batch=8, total=5872) == 88
    assert rows_of_a_shard(taps, batch=8, total=100) == 8
    assert rows_of_a_shard(taps, batch=64, total=800_000) == 8192
    large = stored_taps({OUTPUT: torch.zeros(1, 512, 32, 32)}, Wishes())
    assert rows_of_a_shard(large, batch=2, total=10**6) == 126
