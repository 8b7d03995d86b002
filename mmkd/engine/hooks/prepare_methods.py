"""Shows the methods the training set."""

from mmengine.hooks import Hook
from mmengine.runner import BaseLoop, Runner

from mmkd.engine.runner_distiller import distiller_of
from mmkd.registry import HOOKS


@HOOKS.register_module()
class PrepareMethodsHook(Hook):
    """Let every method look at the training set before training starts.

    Some need its size or its classes: CRD remembers every image. It acts
    before the model is copied for averaging and before a checkpoint is loaded,
    so that what it sizes is restored; validation alone needs none of it.
    """

    priority = 'VERY_HIGH'

    def before_run(self, runner: Runner) -> None:
        """Call ``prepare`` of every method."""
        # The public attribute would build the training set for validation.
        if not isinstance(runner._train_loop, BaseLoop):
            return
        for method in distiller_of(runner).named_methods.values():
            method.prepare(runner.train_dataloader.dataset)
