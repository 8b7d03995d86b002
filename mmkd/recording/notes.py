"""Notes on how a record was made, which do not affect its use."""

from typing import Any

from mmengine.device import get_device
from mmengine.runner import Runner

from mmkd.checkpoints.identity import text_of
from mmkd.versions import versions


def notes_of(runner: Runner) -> dict[str, Any]:
    """Versions, folders, batch size and optimiser of a training.

    Args:
        runner: The runner, whose training loop is built.
    """
    loader, cfg = runner.train_loop.dataloader, runner.cfg
    dataset = cfg.train_dataloader.get('dataset') or {}
    return dict(
        versions=versions(),
        device=get_device(),
        config=str(cfg.filename),
        data_root=str(dataset.get('data_root')),
        batch_size=loader.batch_size,
        optim_wrapper=text_of(cfg.get('optim_wrapper')),
    )
