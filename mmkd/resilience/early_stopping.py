"""Early stopping that keeps its state on resuming."""

from mmengine.hooks import EarlyStoppingHook
from mmengine.runner import Runner

from mmkd.registry import HOOKS

STATE = ('best_score', 'wait_count')
"""State of MMEngine's hook."""


@HOOKS.register_module()
class ResumableEarlyStoppingHook(EarlyStoppingHook):
    """MMEngine's early stopping, with best score and patience kept on resuming.

    Both are stored in the message hub, which is saved in checkpoints.
    """

    def before_train(self, runner: Runner) -> None:
        """Restore the state from the checkpoint."""
        for name in STATE:
            known = runner.message_hub.get_info(self._key(name), getattr(self, name))
            setattr(self, name, known)

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float]) -> None:
        """Decide whether to stop."""
        super().after_val_epoch(runner, metrics)
        for name in STATE:
            value = float(getattr(self, name))
            runner.message_hub.update_info(self._key(name), value)

    def _key(self, name: str) -> str:
        return f'early_stopping.{self.monitor}.{name}'
