"""Checks of the parts that a runner builds from a config."""

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from mmengine.config import Config
from mmengine.hooks import CheckpointHook, EMAHook
from mmengine.registry import (
    DATA_SAMPLERS,
    DATASETS,
    EVALUATOR,
    FUNCTIONS,
    HOOKS,
    LOG_PROCESSORS,
    LOOPS,
    METRICS,
    MODEL_WRAPPERS,
    MODELS,
    OPTIM_WRAPPERS,
    OPTIMIZERS,
    PARAM_SCHEDULERS,
    VISUALIZERS,
)
from mmengine.runner import Runner
from torch.nn.utils import clip_grad_norm_, clip_grad_value_
from torch.utils.data import DataLoader

from mmkd.arguments import arguments, check_arguments
from mmkd.checks.part import PartCheck
from mmkd.checks.places import LOADERS, hooks_of, metrics_of, schedulers_of
from mmkd.checks.settings import known
from mmkd.checks.values import check_values
from mmkd.models.distiller import Distiller
from mmkd.models.named_methods import check_method
from mmkd.models.parts import check_part
from mmkd.nearest import did_you_mean, nearest_and_known
from mmkd.registry import TEACHERS


class PartsCheck(PartCheck):
    """Checks the parts of a config against the classes that they build.

    Args:
        cfg: The config of any training.
    """

    def __init__(self, cfg: Config) -> None:
        super().__init__(cfg.get('default_scope') or 'mmengine')
        self.cfg = cfg

    def __call__(self) -> None:
        """Check everything that registries build, with default types filled in.

        Raises:
            ValueError: If nothing reads a key, or a value is out of range; the
                message says where it is and names the closest match.
            TypeError: If a value for a class of mmkd or MMEngine has the wrong type.
        """
        cfg = self.cfg
        if not (self.scope in MODELS.children or find_spec(self.scope)):
            raise ValueError(
                f'default_scope {self.scope!r} is not an installed package.'
                + did_you_mean(self.scope, ['mmengine', *MODELS.children])
            )
        for where, hook in hooks_of(cfg).items():
            self.hook(where, hook)
        self.optimiser()
        for where, scheduler in schedulers_of(cfg):
            self.part(where, scheduler, PARAM_SCHEDULERS, ['convert_to_iter_based'])
        loops = {'train_cfg': None, 'val_cfg': 'ValLoop', 'test_cfg': 'TestLoop'}
        for name, kind in loops.items():
            self.part(name, _typed(cfg.get(name), kind), LOOPS)
        for name in ('val_evaluator', 'test_evaluator'):
            self.evaluator(name)
        for name in LOADERS:
            self.loader(name)
        kind = self.part('model', cfg.get('model'), MODELS)
        if isinstance(kind, type) and issubclass(kind, Distiller):
            self.distiller(cfg.model)
        teacher = (cfg.get('model') or {}).get('teacher') or {}
        self.part('model.teacher.config', teacher.get('config'), MODELS)
        self.part('model_wrapper_cfg', cfg.get('model_wrapper_cfg'), MODEL_WRAPPERS)
        self.part('visualizer', cfg.get('visualizer'), VISUALIZERS)
        processor = _typed(cfg.get('log_processor'), 'LogProcessor')
        self.part('log_processor', processor, LOG_PROCESSORS)

    def distiller(self, model: Mapping[str, Any]) -> None:
        """Check how the teacher runs, and the settings of the methods."""
        if isinstance(model.get('teacher'), Mapping):
            teacher = {'type': 'FrozenTeacher', **model['teacher']}
            check_part(TEACHERS, 'teacher', teacher)
        for name, method in (model.get('methods') or {}).items():
            if method:
                check_method(name, method)

    def hook(self, where: str, hook: Any) -> None:
        """Check a hook; checkpoint hooks pass further arguments on to the runner."""
        if isinstance(hook, Mapping) and 'type' not in hook:
            name, others = where.rpartition('.')[2], dict(self.cfg.default_hooks)
            others.pop(name, None)
            raise ValueError(
                f'{where} has no type. Is it a misspelt name of another hook?'
                + nearest_and_known(name, others)
            )
        kind = self.part(where, hook, HOOKS, ['priority'])
        if isinstance(kind, type) and issubclass(kind, CheckpointHook):
            own = {**arguments(kind)[0], **arguments(Runner.save_checkpoint)[0]}
            known(hook, where, {*own, 'type', 'priority'})
        if isinstance(kind, type) and issubclass(kind, EMAHook):
            taken = {*arguments(kind)[0], 'type', 'priority', '_scope_'}
            average = {k: v for k, v in hook.items() if k not in taken}
            average['type'] = hook.get('ema_type', 'ExponentialMovingAverage')
            self.part(where, average, MODELS, given=['model'])

    def optimiser(self) -> None:
        """Check the optimiser wrapper, its optimiser and gradient clipping."""
        wrapper = self.cfg.get('optim_wrapper')
        if not isinstance(wrapper, Mapping) or 'optimizer' not in wrapper:
            return
        where = 'optim_wrapper'
        besides = 'constructor', 'paramwise_cfg'
        self.part(where, _typed(wrapper, 'OptimWrapper'), OPTIM_WRAPPERS, besides)
        self.part(f'{where}.optimizer', wrapper['optimizer'], OPTIMIZERS, ['params'])
        clip = wrapper.get('clip_grad')
        if isinstance(clip, Mapping):
            by_value = clip.get('type') == 'value'
            function = clip_grad_value_ if by_value else clip_grad_norm_
            given = ['parameters']
            check_arguments(f'{where}.clip_grad', function, clip, given, ['type'])
            check_values(f'{where}.clip_grad', function, clip)

    def evaluator(self, name: str) -> None:
        """Check the metrics of an evaluator."""
        evaluator = self.cfg.get(name)
        if isinstance(evaluator, Mapping) and 'metrics' in evaluator:
            self.part(name, _typed(evaluator, 'Evaluator'), EVALUATOR)
        for metric in metrics_of(evaluator):
            self.part(name, metric, METRICS)

    def loader(self, name: str) -> None:
        """Check a dataloader, its data set, transforms and samplers."""
        loader = self.cfg.get(name)
        if not isinstance(loader, Mapping):
            return
        more = 'disable_subprocess_warning', 'num_batch_per_epoch'
        check_arguments(name, DataLoader, loader, (), more)
        check_values(name, DataLoader, loader)
        self.part(f'{name}.dataset', loader.get('dataset'), DATASETS)
        collate = loader.get('collate_fn')
        kind = collate.get('type') if isinstance(collate, Mapping) else None
        if isinstance(kind, str) and FUNCTIONS.get(kind) is None:
            hint = did_you_mean(kind, FUNCTIONS.module_dict)
            raise ValueError(f'{name}.collate_fn: there is no type {kind!r}.{hint}')
        for sampler in ('sampler', 'batch_sampler'):
            self.part(f'{name}.{sampler}', loader.get(sampler), DATA_SAMPLERS)


def _typed(part: Any, default: str | None) -> Any:
    """The same with the runner's default type if it has none."""
    if default is None or not isinstance(part, Mapping):
        return part
    return {'type': default, **part}
