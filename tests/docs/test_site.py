import os
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = [
    pytest.mark.check,
    pytest.mark.skipif(not find_spec('sphinx'), reason='requirements/docs.txt'),
]


@pytest.fixture(scope='module')
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` does: a warning is an error."""
    out = tmp_path_factory.mktemp('site')
    command = ('-m', 'sphinx', '-W', '--keep-going', '-q', '-c', 'docs/site', '.', out)
    done = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env={**os.environ, 'PYTHONPATH': str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return out


class Links(HTMLParser):
    """What a page refers to."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page.read_text(encoding='utf-8'))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [v for name, v in attrs if name in ('href', 'src') and v]


def dead_links(site: Path) -> Iterator[tuple[str, str]]:
    for page in site.rglob('*.html'):
        for link in Links(page).found:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc or not parts.path:
                continue
            if not (page.parent / unquote(parts.path)).is_file():
                yield str(page.relative_to(site)), link


def test_every_link_within_the_site_leads_somewhere(site: Path) -> None:
    assert not list(dead_links(site))


def test_the_first_page_leads_to_every_document(site: Path) -> None:
    first = Links(site / 'README.html').found
    documents = [*ROOT.glob('docs/*.md'), *ROOT.glob('configs/*/README.md')]
    for path in documents:
        assert str(path.relative_to(ROOT).with_suffix('.html')) in first
    assert 'README.html' in Links(site / 'index.html').found
