"""The command ``mmkd`` as ``python -m mmkd`` or ``torchrun -m mmkd``."""

from mmkd.cli.main import main

if __name__ == '__main__':
    main()
