"""The argument parser of every command."""

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from typing import Any


def command_parser(text: str | None, **options: Any) -> ArgumentParser:
    """A parser whose help begins with a program's docstring, lines unchanged.

    Args:
        text: The docstring: what the program does in one line, then an example.
        options: Options of :class:`argparse.ArgumentParser`.
    """
    raw = RawDescriptionHelpFormatter
    return ArgumentParser(description=text, formatter_class=raw, **options)
