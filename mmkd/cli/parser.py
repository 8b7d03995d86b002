"""How every command reads its line."""

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from typing import Any


def command_parser(text: str | None, **options: Any) -> ArgumentParser:
    """A parser whose help begins with a program's own text, lines as they are.

    Args:
        text: The program's docstring: what it does in a line, then an example.
        options: Of :class:`argparse.ArgumentParser`.
    """
    raw = RawDescriptionHelpFormatter
    return ArgumentParser(description=text, formatter_class=raw, **options)
