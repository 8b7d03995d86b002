"""Pages for what the documents link to and is no document: configs, code, folders.

On a repository's own site such a link shows the file. Here it does as well: each file
that is linked becomes a page with its text, each folder one with what lies in it, or
the folder's README where it has one.
"""

import posixpath
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.osutil import relative_uri

SHOWN = {'.py': 'python', '.sh': 'bash', '.json': 'json', '.jsonl': 'text'}
"""Kinds of files that have a page, and how each is coloured."""


class SourcePages:
    """The pages that a build has come to need.

    Args:
        app: The build.
    """

    def __init__(self, app: Sphinx) -> None:
        self.app = app
        self.root = Path(app.srcdir)
        self.needed: set[str] = set()

    def page_of(self, path: str) -> str | None:
        """The page that a link to a file or folder leads to, which is then needed.

        Args:
            path: From the root of the repository, with slashes.

        Returns:
            None if there is nothing that could be shown.
        """
        readme = posixpath.join(path, 'README')
        if readme in self.app.env.found_docs:
            return readme
        found = self.root / path
        if not found.is_dir() and not (found.is_file() and found.suffix in SHOWN):
            return None
        self.needed.add(path)
        return f'source/{path}'

    def rendered(self) -> Iterator[tuple[str, dict[str, Any], str]]:
        """Name, title with body and template of each page, those that they need too."""
        done: set[str] = set()
        while todo := self.needed - done:
            for path in sorted(todo):
                is_folder = (self.root / path).is_dir()
                body = self._listing(path) if is_folder else self._text(path)
                body = f'<h1>{escape(path)}</h1>{body}'
                yield f'source/{path}', {'title': path, 'body': body}, 'page.html'
            done |= todo

    def _listing(self, path: str) -> str:
        """What lies in a folder, as HTML."""
        here = self.app.builder.get_target_uri(f'source/{path}')
        rows = []
        for entry in sorted((self.root / path).iterdir()):
            page = self.page_of(posixpath.join(path, entry.name))
            if page is None or entry.name.startswith(('.', '__')):
                continue
            uri = relative_uri(here, self.app.builder.get_target_uri(page))
            name = escape(entry.name + '/' * entry.is_dir())
            rows.append(f'<li><a href="{uri}">{name}</a></li>')
        return f'<ul>{"".join(rows)}</ul>'

    def _text(self, path: str) -> str:
        """A file's text, coloured, as HTML."""
        text = (self.root / path).read_text(encoding='utf-8')
        language = SHOWN[posixpath.splitext(path)[1]]
        return str(self.app.builder.highlighter.highlight_block(text, language))


class NoDownloads(SphinxTransform):
    """Takes links to files for what links to folders are: to be resolved later."""

    default_priority = 500

    def apply(self, **kwargs: Any) -> None:
        """Replace the links of one document."""
        for link in list(self.document.findall(addnodes.download_reference)):
            link.replace_self(
                addnodes.pending_xref('', *link.children, **link.attributes)
            )


class LinksToSource(SphinxPostTransform):
    """Lets links to files and folders lead to their pages."""

    default_priority = 5
    formats = ('html',)

    def run(self, **kwargs: Any) -> None:
        """Resolve the links of one document."""
        for link in list(self.document.findall(addnodes.pending_xref)):
            if link.get('reftype') != 'myst' or link.get('refdomain') == 'doc':
                continue
            folder = posixpath.dirname(link['refdoc'])
            path = posixpath.normpath(posixpath.join(folder, link['reftarget']))
            page = self.app.source_pages.page_of(path)
            if page is not None:
                uri = self.app.builder.get_relative_uri(link['refdoc'], page)
                text = link.children
                link.replace_self(
                    nodes.reference('', '', *text, internal=True, refuri=uri)
                )


def setup(app: Sphinx) -> dict[str, bool]:
    """Join in the build, which runs in one process."""

    def begin(app: Sphinx) -> None:
        app.source_pages = SourcePages(app)

    app.connect('builder-inited', begin)
    app.connect('html-collect-pages', lambda app: app.source_pages.rendered())
    app.add_transform(NoDownloads)
    app.add_post_transform(LinksToSource)
    return {'parallel_read_safe': True, 'parallel_write_safe': False}
