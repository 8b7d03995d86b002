"""Parameter groups of a distiller: the student's own, then the methods'."""

from typing import Any

from mmengine.config import Config
from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch import nn

from mmkd.models.distiller import Distiller, student_alone
from mmkd.registry import OPTIM_WRAPPER_CONSTRUCTORS

DEFAULT = 'DefaultOptimWrapperConstructor'
NAME = 'mmkd.DistillOptimWrapperConstructor'


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class DistillOptimWrapperConstructor:
    """Give the student the groups it has alone, and each method one of its own.

    Another constructor, any that is registered, builds the optimiser wrapper of
    the student; it sees no method. The parameters of each method then form one
    more group with the optimiser's settings, unmoved by ``custom_keys``,
    multipliers and layer-wise decay, which are the student's.

    Args:
        optim_wrapper_cfg: As for the other constructor.
        paramwise_cfg: As for the other constructor, which ``constructor`` in it
            names.

    Raises:
        TypeError: If the other constructor builds several optimisers.
    """

    def __init__(
        self, optim_wrapper_cfg: dict[str, Any], paramwise_cfg: dict[str, Any] | None
    ) -> None:
        paramwise = dict(paramwise_cfg or {})
        kind = paramwise.pop('constructor', DEFAULT)
        # An empty dict and None are not the same to all constructors.
        self.inner = OPTIM_WRAPPER_CONSTRUCTORS.build(
            dict(
                type=kind,
                optim_wrapper_cfg=optim_wrapper_cfg,
                paramwise_cfg=paramwise or None,
            )
        )

    def __call__(self, model: nn.Module) -> OptimWrapper:
        """Build the optimiser wrapper.

        Args:
            model: A distiller, in a data-parallel wrapper or not.
        """
        distiller: Any = model.module if is_model_wrapper(model) else model
        if not isinstance(distiller, Distiller):
            return self.inner(model)
        with student_alone(distiller):
            wrapper = self.inner(model)
        if isinstance(wrapper, OptimWrapperDict):
            raise TypeError(
                f'{type(self.inner).__name__} builds a {type(wrapper).__name__}: a '
                'distiller trains with one optimiser.'
            )
        # PyTorch wants names in all groups or none; some constructors give them.
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
    """Let a distillation's optimiser be built by this constructor.

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
