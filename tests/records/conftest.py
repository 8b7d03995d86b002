from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mmkd.records import StoredTap
from mmkd.records.manifest import MANIFEST, Manifest, shard_name
from mmkd.records.rows import fill, row_type

TAPS = [StoredTap('output of a', (6,)), StoredTap('output of b', (3, 2, 2), 'int8')]


@pytest.fixture
def record(tmp_path: Path) -> Callable[..., Any]:
    """Write a record of five samples in two views, with three rows per shard."""

    def build(folder: Path = tmp_path / 'record') -> tuple[Path, Manifest]:
        manifest = Manifest(
            mmkd='0.1',
            teacher=dict(weights='w', classes=['a', 'b']),
            views=dict(seed=3, count=2),
            pipeline=dict(dataset=dict(type='D', pipeline=[dict(type='Flip')])),
            data=dict(samples=5, sha256='x'),
            inputs=dict(shape=[3, 4, 4], hashes={'0': 'h'}),
            taps=TAPS,
            rows=3,
        )
        folder.mkdir()
        (folder / MANIFEST).write_text(manifest.text())
        random = torch.Generator().manual_seed(0)
        for number, rows in enumerate(manifest.shards):
            array = np.zeros(len(rows), row_type(TAPS))
            values = {
                tap.name: tap.encode(
                    torch.randn(len(rows), *tap.shape, generator=random)
                )
                for tap in TAPS
            }
            fill(array, manifest, rows, values, [row % 5 for row in rows])
            np.save(folder / shard_name(number), array)
        return folder, manifest

    return build
