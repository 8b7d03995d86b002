from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from mmengine.config import Config
from mmengine.runner import Runner
from noise_data import WRITERS
from shrunk import Teachers, give_teacher, shrink

from mmkd.config.changes import set_data_root


@pytest.fixture(scope='session')
def data_roots(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder with a few small images for each type of data set."""
    folder = tmp_path_factory.mktemp('data')
    roots = {kind: folder / kind for kind in WRITERS}
    for kind, write in WRITERS.items():
        write(roots[kind])
    return roots


@pytest.fixture(scope='session')
def teachers() -> Iterator[Teachers]:
    with TemporaryDirectory() as folder:
        yield Teachers(Path(folder))


@pytest.fixture
def trained(
    teachers: Teachers, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Runner]]:
    """Train a config for two steps and evaluate once, on a few small images."""
    # Formatting a config for the log takes longer than training.
    monkeypatch.setattr(Config, 'pretty_text', '')
    with TemporaryDirectory() as work_dir:

        def train(cfg: Config, data_root: Path | None = None) -> Runner:
            if data_root is not None:
                set_data_root(cfg, str(data_root))
            shrink(cfg)
            if 'teacher' in cfg.model:
                give_teacher(cfg, teachers)
            cfg.work_dir = work_dir
            # MMEngine keeps loggers and visualisers under these names.
            cfg.experiment_name = cfg.visualizer.name = Path(work_dir).name
            cfg.log_level = 'ERROR'
            runner = Runner.from_cfg(cfg)
            runner.train()
            return runner

        yield train
