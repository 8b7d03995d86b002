"""Checks of the parts that a runner builds from a config."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
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
    TRANSFORMS,
    VISBACKENDS,
    VISUALIZERS,
    WEIGHT_INITIALIZERS,
    Registry,
)
from mmengine.runner import Runner
from torch.nn.utils import clip_grad_norm_, clip_grad_value_
from torch.utils.data import DataLoader

from mmkd.arguments import arguments, check_arguments
from mmkd.checks.places import LOADERS, hooks_of, metrics_of, several
from mmkd.checks.settings import known
from mmkd.checks.values import check_values
from mmkd.models.distiller import Distiller
from mmkd.models.named_methods import check_method
from mmkd.models.parts import check_part
from mmkd.nearest import LIKELY, did_you_mean, nearest_and_known
from mmkd.registry import TEACHERS

INNER_MODELS = (
    'auxiliary_head',
    'backbone',
    'data_preprocessor',
    'decode_head',
    'head',
    'loss',
    'loss_decode',
    'neck',
    'student',
)
"""Parts of models that are built as configured; others get further arguments."""

LAYERS = ('act_cfg', 'conv_cfg', 'norm_cfg')
"""Settings that MMCV builds layers from, looking only at their types."""

STRICT = (
    DATA_SAMPLERS,
    HOOKS,
    LOG_PROCESSORS,
    LOOPS,
    METRICS,
    OPTIM_WRAPPERS,
    OPTIMIZERS,
    PARAM_SCHEDULERS,
    VISUALIZERS,
    WEIGHT_INITIALIZERS,
)
"""Registries that are complete: no package adds or builds other types later."""


class PartsCheck:
    """Checks the parts of a config against the classes that they build.

    Args:
        cfg: The config of any training.
    """

    def __init__(self, cfg: Config) -> None:
        self.cfg = cfg
        self.scope = cfg.get('default_scope') or 'mmengine'

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
        for where, scheduler in _schedulers(cfg.get('param_scheduler')):
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

    def part(
        self,
        where: str,
        part: Any,
        registry: Registry,
        besides: Iterable[str] = (),
        given: Iterable[str] = (),
    ) -> Any:
        """Check a part that a registry builds, and its nested parts.

        Returns:
            The class, if it is known.
        """
        if not isinstance(part, Mapping):
            return None
        kind = self.kind(where, part, registry)
        if kind is not None:
            aside = {'type', '_scope_'}
            if registry is WEIGHT_INITIALIZERS:
                # MMEngine removes it before building.
                aside.add('override')
            settings = {k: v for k, v in part.items() if k not in aside}
            check_arguments(where, kind, settings, given, besides)
            check_values(where, kind, settings)
        if registry is TRANSFORMS and part.get('decode_backend') == 'pickle':
            raise ValueError(
                f"{where}: decode_backend='pickle' would run code in the files. Save "
                "arrays with numpy.save and use decode_backend='numpy'."
            )
        for name, value in part.items():
            inner = _registry_of(name, registry)
            if registry is MODELS and name in LAYERS and isinstance(value, Mapping):
                self.kind(f'{where}.{name}', value, MODELS, surely=True)
            if inner is None:
                continue
            if isinstance(value, Mapping):
                self.part(f'{where}.{name}', value, inner)
            elif isinstance(value, (list, tuple)):
                self.parts(f'{where}.{name}', value, inner)
        return kind

    def parts(self, where: str, values: Any, registry: Registry) -> None:
        """Check the parts in a list, which may be nested."""
        for number, value in enumerate(values):
            if isinstance(value, (list, tuple)):
                self.parts(f'{where}[{number}]', value, registry)
            else:
                self.part(f'{where}[{number}]', value, registry)

    def kind(
        self,
        where: str,
        part: Mapping[str, Any],
        registry: Registry,
        surely: bool = False,
    ) -> Any:
        """The class of a part; None if it has no type or the class is unknown."""
        kind = part.get('type')
        if not isinstance(kind, str):
            return kind
        scope = part.get('_scope_') or self.scope
        found = None
        with suppress(RuntimeError), registry.switch_scope_and_registry(scope) as own:
            found = own.get(kind)
        if found is None:
            surely = surely or registry in STRICT
            names = {*registry.module_dict, *own.module_dict}
            hint = did_you_mean(kind, names, 0.6 if surely else LIKELY)
            if hint or surely:
                raise ValueError(f'{where}: there is no type {kind!r}.{hint}')
        return found


def _registry_of(name: str, registry: Registry) -> Registry | None:
    """The registry for the values of a key in a part, given the part's registry."""
    if registry is DATASETS:
        if name in ('dataset', 'datasets'):
            return DATASETS
        return TRANSFORMS if name.endswith('pipeline') else None
    if registry is TRANSFORMS:
        # Policies get further arguments from the transform that holds them.
        return None if name == 'policies' else TRANSFORMS
    if registry is VISUALIZERS:
        return VISBACKENDS if name == 'vis_backends' else None
    if registry is MODELS:
        if name == 'init_cfg':
            return WEIGHT_INITIALIZERS
        return MODELS if name in INNER_MODELS else None
    return None


def _typed(part: Any, default: str | None) -> Any:
    """The same with the runner's default type if it has none."""
    if default is None or not isinstance(part, Mapping):
        return part
    return {'type': default, **part}


def _schedulers(value: Any) -> list[tuple[str, Any]]:
    """Parameter schedulers and their keys: one, several, or a dict by optimiser."""
    if isinstance(value, Mapping) and 'type' not in value:
        return [one for inner in value.values() for one in _schedulers(inner)]
    return [(f'param_scheduler[{n}]', one) for n, one in enumerate(several(value))]
