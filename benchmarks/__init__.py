"""The cost of distillation on this machine: ``python -m benchmarks``."""
