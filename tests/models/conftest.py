from tiny_models import task, tiny

__all__ = ['task', 'tiny']
