"""What a distillation costs on the machine at hand: ``python -m benchmarks``."""
