"""How `make docs` builds the site: from the Markdown of the repository, in place."""

import sys
from pathlib import Path

from sphinx.application import Sphinx

import mmkd

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE))

project = 'mmkd'
version = release = mmkd.__version__

extensions = [
    'myst_parser',
    'source_pages',
    'sphinx.ext.autodoc',
    'sphinx.ext.napoleon',
    'sphinx.ext.viewcode',
]

# The source folder is the repository: links work there as they do on the site.
root_doc = 'README'
include_patterns = ['CHANGELOG.md', 'README.md', 'configs/*/README.md', 'docs/**.md']
PAGES = {'CHANGELOG.md', 'README.md', 'configs', 'docs'}
exclude_patterns = [path.name for path in ROOT.iterdir() if path.name not in PAGES]
exclude_patterns += ['docs/site']

myst_heading_anchors = 4
myst_enable_extensions = ['deflist']

autodoc_member_order = 'bysource'
autodoc_typehints = 'description'
autodoc_typehints_description_target = 'documented'
add_module_names = False

html_theme = 'furo'
html_title = f'mmkd {version}'
html_extra_path = ['extra']
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False
pygments_style = 'default'
pygments_dark_style = 'github-dark'

# Checked by `make links` alone: what others moved breaks no build of ours.
linkcheck_anchors = False
linkcheck_timeout = 20


def setup(app: Sphinx) -> None:
    """Give the first page, which is the README, the navigation of the site."""
    navigation = (HERE / 'navigation.md').read_text(encoding='utf-8')

    def add(app: Sphinx, docname: str, source: list[str]) -> None:
        if docname == root_doc:
            source[0] += navigation

    app.connect('source-read', add)
