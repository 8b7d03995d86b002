"""Early stopping that remembers."""

from mmengine.hooks import EarlyStoppingHook
from mmengine.runner import Runner

from mmkd.registry import HOOKS

STATE = ('best_score', 'wait_count')
"""What MMEngine's hook counts with."""


@HOOKS.register_module()
class ResumableEarlyStoppingHook(EarlyStoppingHook):
    """MMEngine's early stopping, which remembers best score and patience over a break.

    Both stand in the message hub, which checkpoints hold.
    """

    def before_train(self, runner: Runner) -> None:
        """Go on from what the checkpoint holds."""
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
