"""Facts that maintainers rely on agree everywhere."""

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]


def pinned(package: str) -> str:
    text = (ROOT / 'requirements/tests.txt').read_text()
    [version] = re.findall(rf'^{package}==(\S+)$', text, re.MULTILINE)
    return version


def test_linters_before_a_commit_are_those_of_make_lint() -> None:
    config = yaml.safe_load((ROOT / '.pre-commit-config.yaml').read_text())
    ruff, local = config['repos']
    assert ruff['rev'] == f'v{pinned("ruff")}'
    assert [hook['id'] for hook in ruff['hooks'] + local['hooks']] == [
        'ruff-check',
        'mypy',
    ]


def test_both_papers_are_cited_as_their_configs_name_them() -> None:
    cited = yaml.safe_load((ROOT / 'CITATION.cff').read_text())['references']
    for folder, paper in zip(('dhkd', 'mhkd'), cited, strict=True):
        readme = (ROOT / 'configs' / folder / 'README.md').read_text()
        assert f'[{paper["title"]}]({paper["url"]})' in readme


def test_the_workflow_has_the_lowest_pytorch_that_is_supported() -> None:
    workflow = (ROOT / '.github/workflows/test.yml').read_text()
    [lowest] = re.findall(r'"torch>=([\d.]+)"', (ROOT / 'pyproject.toml').read_text())
    assert f'torch=={lowest}.0 ' in workflow
    assert len(yaml.safe_load(workflow)['jobs']['test']['strategy']['matrix']) == 2


def test_forms_ask_for_something() -> None:
    for name in ('problem', 'no_gain'):
        path = ROOT / '.github/ISSUE_TEMPLATE' / f'{name}.yml'
        fields = [part['type'] for part in yaml.safe_load(path.read_text())['body']]
        assert 'textarea' in fields
