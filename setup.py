"""For what asks for a setup.py; all that mmkd is called and needs: pyproject.toml."""

from setuptools import setup

setup()
