"""Parameter groups of a distiller: the student's own, then the methods'."""

import copy
from typing import Any

from mmengine.config import Config
from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch import nn

from mmkd.models.distiller import Distiller
from mmkd.models.taught import student_alone
from mmkd.registry import OPTIM_WRAPPER_CONSTRUCTORS

DEFAULT = 'DefaultOptimWrapperConstructor'
NAME = 'mmkd.DistillOptimWrapperConstructor'
ALIGNED = {
    'OptimWrapper': 'mmkd.GradientAlignOptimWrapper',
    'AmpOptimWrapper': 'mmkd.AmpGradientAlignOptimWrapper',
}
"""Optimiser wrappers and their variants that align gradients."""


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class DistillOptimWrapperConstructor:
    """Give the student the groups it has without mmkd, and each method its own.

    Any other registered constructor builds the student's optimiser wrapper; it
    does not see the methods. The parameters of each method then form one more
    group with the optimiser's settings; ``custom_keys``, multipliers and
    layer-wise decay apply to the student only. If a method asks for gradient
    alignment, the optimiser wrapper is replaced by its variant that aligns.

    Args:
        optim_wrapper_cfg: As for the other constructor.
        paramwise_cfg: As for the other constructor, whose name is its
            ``constructor``.

    Raises:
        TypeError: If the other constructor builds several optimisers.
        ValueError: If gradients have to be aligned and the optimiser wrapper has
            no variant for it.
    """

    def __init__(
        self, optim_wrapper_cfg: dict[str, Any], paramwise_cfg: dict[str, Any] | None
    ) -> None:
        self.paramwise_cfg = dict(paramwise_cfg or {})
        self.kind = self.paramwise_cfg.pop('constructor', DEFAULT)
        self.optim_wrapper_cfg = optim_wrapper_cfg

    def _inner(self, aligned: bool) -> Any:
        wrapper = copy.deepcopy(self.optim_wrapper_cfg)
        kind = wrapper.get('type', 'OptimWrapper')
        if aligned and kind not in ALIGNED.values():
            if kind not in ALIGNED:
                raise ValueError(
                    f'gradient alignment does not support the wrapper {kind!r}, '
                    f'only {", ".join(ALIGNED)}.'
                )
            wrapper['type'] = ALIGNED[kind]
        if not aligned and kind in ALIGNED:
            wrapper.pop('keep_memory', None)
        return OPTIM_WRAPPER_CONSTRUCTORS.build(
            dict(
                type=self.kind,
                optim_wrapper_cfg=wrapper,
                # Some constructors distinguish an empty dict from None.
                paramwise_cfg=self.paramwise_cfg or None,
            )
        )

    def __call__(self, model: nn.Module) -> OptimWrapper:
        """Build the optimiser wrapper.

        Args:
            model: A distiller, in a data-parallel wrapper or not.
        """
        distiller: Any = model.module if is_model_wrapper(model) else model
        if not isinstance(distiller, Distiller):
            return self._inner(False)(model)
        inner = self._inner(distiller.gradient_alignment)
        with student_alone(distiller):
            wrapper = inner(model)
        if isinstance(wrapper, OptimWrapperDict):
            raise TypeError(
                f'{self.kind} builds a {type(wrapper).__name__}: a '
                'distiller trains with one optimiser.'
            )
        # PyTorch requires names in all groups or none; some constructors set them.
        has_names = 'param_names' in wrapper.optimizer.param_groups[0]
        for name, method in distiller.named_methods.items():
            named = {k: p for k, p in method.named_parameters() if p.requires_grad}
            if not named:
                continue
            group = dict(params=list(named.values()), method=name)
            if has_names:
                group['param_names'] = [f'methods.{name}.{key}' for key in named]
            wrapper.optimizer.add_param_group(group)
        return wrapper


def keep_methods_apart(cfg: Config) -> None:
    """Make this constructor build the optimiser of a distillation.

    Args:
        cfg: The config of any training; changed in place, once.
    """
    wrapper = cfg.get('optim_wrapper')
    if wrapper is None or 'student' not in cfg.model:
        return
    kind = wrapper.get('constructor', DEFAULT)
    if kind != NAME:
        wrapper['constructor'] = NAME
        wrapper['paramwise_cfg'] = dict(
            wrapper.get('paramwise_cfg') or {}, constructor=kind
        )
