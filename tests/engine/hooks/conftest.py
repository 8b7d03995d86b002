from tiny_trainings import distiller, runner_of, task, tiny

__all__ = ['distiller', 'runner_of', 'task', 'tiny']
