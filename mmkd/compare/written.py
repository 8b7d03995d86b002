"""Tables of finished runs in a text, generated from the result lines of the runs.

A text declares a table in a comment. Everything between it and the closing comment is
regenerated::

    <!-- results
    file: camvid.jsonl
    where: {rate: 0.05}
    score: mIoU
    rows:
      labels alone: {method: none}
      KD: {method: kd}
    baseline: labels alone
    -->
    <!-- end of results -->

``profile: FILE`` declares a table of deployed networks instead, ``tuned: FILE`` one of
the settings that ``mmkd compare --tune`` has tried.
"""

import re

import yaml

from mmkd.compare.lines import Results
from mmkd.compare.tables import Profile, Table, Tried

BEGIN, END = '<!-- results\n', '<!-- end of results -->'
BLOCK = re.compile(
    f'^({BEGIN}(.*?)^-->\n)(?:(?!{BEGIN}).)*?^(?={END})', re.MULTILINE | re.DOTALL
)

KINDS: dict[str, type[Profile] | type[Tried]] = dict(profile=Profile, tuned=Tried)
"""Tables that are not of runs, by the key that declares them."""

WRONG = AttributeError, LookupError, TypeError, ValueError, yaml.YAMLError
"""Exceptions that a mistake in a declaration causes."""


def render(text: str, results: Results) -> str:
    """Regenerate the tables of a text.

    Args:
        text: In Markdown.
        results: Where the lines are.

    Raises:
        ValueError: If a table has no end, or a declaration has a mistake; the message
            quotes the declaration.
    """
    begun, ended = text.count(BEGIN), len(BLOCK.findall(text))
    if begun != ended:
        raise ValueError(f'{begun} tables begin, but {ended} end with --> and {END}')

    def made(found: re.Match[str]) -> str:
        try:
            declared = yaml.safe_load(found[2])
            kind = next((KINDS[key] for key in KINDS if key in declared), Table)
            return found[1] + kind(**declared).markdown(results)
        except WRONG as error:
            raise ValueError(f'{error}, in the table of\n{found[2]}') from None

    return BLOCK.sub(made, text)
