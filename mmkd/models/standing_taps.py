"""Taps that stay on a model while it runs compiled."""

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

from torch import nn

from mmkd.models.taps import STANDING, Tap, find_module
from mmkd.models.watching import Observer


class StandingTaps:
    """Makes :func:`mmkd.models.taps.capture` work without hooks that come and go.

    ``torch.compile`` cannot trace the registration of a hook and cuts its graph there.
    Inside this context, a tapped module is an instance of a subclass of its own class,
    whose ``forward`` passes on what it captures; not where that could be something
    else, as a hook of its own or another ``forward`` changes it. Copies have their own
    class.

    Args:
        model: The model.
        taps: Everything that will be captured inside the context.

    Attributes:
        taps: Those that are captured without hooks.
        keep: What captures at the moment, called with a tap and the module's inputs or
            outputs; None while nothing does.
    """

    def __init__(self, model: nn.Module, taps: Iterable[Tap]) -> None:
        self.keep: Callable[[Tap, Any], None] | None = None
        self._model = model
        self._own: dict[nn.Module, Any] = {}
        self._tapped: dict[nn.Module, Any] = {}
        self.taps: set[Tap] = set()
        for tap in sorted(taps, key=str):
            module = find_module(model, tap.path)
            hooks = *module._forward_hooks, *module._forward_pre_hooks
            if hooks or 'forward' in vars(module):
                continue
            self.taps.add(tap)
            self._own[module] = type(module)
            kind = self._tapped.get(module, type(module))
            observer = Observer(module.forward, tap.kind, self._note(tap))
            self._tapped[module] = _observed(kind, observer)

    def _note(self, tap: Tap) -> Callable[[Any], None]:
        def note(value: Any) -> None:
            if self.keep is not None:
                self.keep(tap, value)

        return note

    def __enter__(self) -> None:
        for module, kind in self._tapped.items():
            module.__class__ = kind
        vars(self._model)[STANDING] = self

    def __exit__(self, *_: object) -> None:
        vars(self._model).pop(STANDING)
        for module, kind in self._own.items():
            module.__class__ = kind

    def __reduce__(self) -> Any:
        """A copied model has hooks again: what captures here is not its own."""
        return type(None), ()


def _observed(own: Any, observer: Observer) -> Any:
    class Observed(own):
        @wraps(own.forward)
        def forward(self, *args: Any, **kwargs: Any) -> Any:
            return observer.run(super().forward, *args, **kwargs)

        def __reduce_ex__(self, protocol: Any) -> Any:
            function, args, *rest = super().__reduce_ex__(protocol)
            if args[:1] == (type(self),):
                function, args = _blank, (own, *args[1:])
            return function, args, *rest

    return Observed


def _blank(kind: Any, *args: Any) -> Any:
    """An empty instance, for pickle to fill."""
    return kind.__new__(kind, *args)
