"""What mmkd is called and needs; versions that work together: requirements/."""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
DEPLOY = ['onnx', 'onnxruntime', 'onnxscript']
VERSION = r"(?m)^__version__ = '(.+)'$"

setup(
    name='mmkd',
    version=re.findall(VERSION, (ROOT / 'mmkd/__init__.py').read_text())[0],
    description='Knowledge distillation for MMSegmentation and MMPretrain',
    long_description=(ROOT / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    license_files=['LICENSE'],
    classifiers=[
        'Intended Audience :: Science/Research',
        'Programming Language :: Python :: 3.10',
        'Programming Language :: Python :: 3.11',
        'Programming Language :: Python :: 3.12',
        'Topic :: Scientific/Engineering :: Artificial Intelligence',
    ],
    packages=['mmkd_demo', *find_packages(include=['mmkd', 'mmkd.*'])],
    # Links to configs/, which MMEngine looks for in the package.
    package_data={
        'mmkd': ['.mim/model-index.yml', '.mim/configs/**/*'],
        'mmkd.report': ['page.css', 'page.html', 'seen.html'],
    },
    python_requires='>=3.10',
    install_requires=[
        'jinja2',  # torch asks for it too
        'matplotlib',
        'numpy',
        'opencv-python',
        'rich',
        'safetensors',
        'scikit-learn',
        'torch>=2.6',
        'torchvision',
        # mmsegmentation and mmpretrain import these without asking for them.
        'ftfy',
        'regex',
        'scipy',
    ],
    # The two stacks install the same import names: never both at once.
    extras_require={
        'onedl': [
            'onedl-mmcv>=2.3.6',
            'onedl-mmengine>=0.10.12',
            'onedl-mmpretrain>=1.3.6',
            'onedl-mmsegmentation>=1.4.2',
        ],
        'openmmlab': [
            'mmcv>=2.1.0,<2.2',
            'mmengine>=0.10.7',
            'mmpretrain>=1.2.0',
            'mmsegmentation>=1.2.2',
        ],
        'deploy': DEPLOY,
        'tests': [*DEPLOY, 'mypy', 'pytest', 'pytest-xdist', 'ruff'],
    },
)
