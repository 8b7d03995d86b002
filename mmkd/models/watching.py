"""Watching the inputs and outputs of a module while it runs."""

from collections.abc import Callable
from functools import partial
from inspect import Parameter, signature
from typing import Any, Literal, get_args

from torch import nn

Kind = Literal['input', 'output', 'forward']
KINDS = get_args(Kind)
POSITIONAL = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)


def watch(
    module: nn.Module, kind: Kind, note: Callable[[Any], None]
) -> Callable[[], None]:
    """Call a function with the inputs or outputs of a module whenever it runs.

    Args:
        module: The module.
        kind: What to observe, see :class:`mmkd.models.taps.Tap`.
        note: Called with the inputs or outputs.

    Returns:
        A function that stops it.
    """
    if kind == 'input':
        return module.register_forward_pre_hook(
            lambda _, args, kwargs: note((args, kwargs)), with_kwargs=True
        ).remove
    if kind == 'output':
        return module.register_forward_hook(lambda _, args, output: note(output)).remove
    own = dict(vars(module))
    forward: Any = module.forward

    def end() -> None:
        vars(module).pop('forward')
        if 'forward' in own:
            module.forward = own['forward']

    observer = Observer(forward, kind, note)
    vars(module)['forward'] = partial(observer.run, forward)
    return end


class Observer:
    """Runs a module's ``forward`` and passes on its inputs or outputs.

    Args:
        forward: The module's ``forward``.
        kind: What to observe, see :class:`mmkd.models.taps.Tap`.
        note: Called with the inputs or outputs.
    """

    def __init__(
        self, forward: Callable[..., Any], kind: Kind, note: Callable[[Any], None]
    ) -> None:
        arguments = signature(forward).parameters.values()
        optional = [a for a in arguments if a.default is not a.empty]
        self.kind, self.note = kind, note
        self._optional = {argument.name for argument in optional}
        # Of the positional ones, the optional ones are the last.
        self._required = len(
            [a for a in arguments if a.kind in POSITIONAL and a not in optional]
        )

    def run(self, forward: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call ``forward``."""
        if self.kind == 'input':
            self.note((args, kwargs))
        output = forward(*args, **kwargs)
        if self.kind == 'output':
            self.note(output)
        if self.kind == 'forward':
            self.note(self._plain(forward, output, args, kwargs))
        return output

    def _plain(self, forward: Any, output: Any, args: Any, kwargs: Any) -> Any:
        if not self._optional:
            return output
        needed = {k: v for k, v in kwargs.items() if k not in self._optional}
        more = [*args[self._required :]]
        more += [v for k, v in kwargs.items() if k in self._optional]
        if all(value is None for value in more):
            return output
        return forward(*args[: self._required], **needed)
