"""Several processes validate the model that they save."""

from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config
from mmengine.evaluator import BaseMetric, Evaluator
from mmengine.runner._flexible_runner import FlexibleRunner
from tiny_models import Noise, Tiny
from two_processes import in_two_processes

from mmkd.resilience import protect

WRAPPER = dict(type='mmkd.AnyDeviceDataParallel')
PLAIN = Config(dict(model_wrapper_cfg=WRAPPER))
EMA = [dict(type='EMAHook', momentum=0.4)]
BEST = dict(interval=-1, save_last=False, save_best='acc', rule='greater')
KINDS: dict[str, dict[str, Any]] = {
    'best': dict(cfg=PLAIN, checkpoint=BEST),
    'average': dict(cfg=PLAIN, checkpoint=BEST, custom_hooks=EMA),
    'last': dict(cfg=PLAIN),
    'flexible': dict(
        kind=FlexibleRunner, strategy=dict(type='DDPStrategy', model_wrapper=WRAPPER)
    ),
}


class Certainty(BaseMetric):
    """The mean prediction for the first class."""

    def process(self, data_batch: Any, data_samples: Any) -> None:
        self.results += [float(sample['pred_score'][0]) for sample in data_samples]

    def compute_metrics(self, results: list[float]) -> dict[str, float]:
        return dict(acc=sum(results) / len(results))


def runner(
    folder: Path, name: str, checkpoint: dict[str, Any] | None = None, **settings: Any
) -> Any:
    tiny = Tiny(folder)
    loader = dict(
        batch_size=2,
        num_workers=0,
        dataset=Noise(tiny.batch('images', seed=3, count=8)),
        sampler=dict(type='DefaultSampler', shuffle=False),
        collate_fn=dict(type='pseudo_collate'),
    )
    hooks = dict(checkpoint=checkpoint or dict(interval=1))
    cfg = Config(
        dict(train_cfg=dict(by_epoch=True, max_epochs=2), default_hooks=hooks)
    )
    protect(cfg)
    return tiny.runner(
        tiny.plain('images'),
        'images',
        name,
        train_cfg=cfg.train_cfg,
        default_hooks=cfg.default_hooks,
        val_cfg={},
        val_dataloader=loader,
        val_evaluator=Evaluator(Certainty()),
        **settings,
    )


@pytest.mark.parametrize('kind', KINDS)
def test_the_score_is_that_of_the_checkpoint(kind: str, tmp_path: Path) -> None:
    def train(rank: int) -> tuple[list[float], list[Any]]:
        trained = runner(tmp_path, 'two', launcher='pytorch', **KINDS[kind])
        trained.train()
        statistics = {
            name: buffer.tolist()
            for name, buffer in trained.model.module.named_buffers()
            if 'running' in name
        }
        scores = trained.message_hub.get_scalar('val/acc').data[0]
        return scores.tolist(), statistics

    (scores, statistics), (_, others) = in_two_processes(train, tmp_path)

    assert statistics == others
    [*_, path] = sorted(tmp_path.glob('two/*.pth'))
    one = runner(tmp_path, 'one', load_from=str(path))
    score = scores[-1] if path.name.startswith('epoch') else max(scores)
    assert one.val()['acc'] == pytest.approx(score, abs=1e-7)
