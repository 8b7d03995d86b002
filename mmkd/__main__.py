"""``python -m mmkd``, and ``torchrun -m mmkd``: the command ``mmkd``."""

from mmkd.cli.main import main

if __name__ == '__main__':
    main()
