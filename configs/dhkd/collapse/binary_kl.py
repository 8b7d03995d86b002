# The second setting: only BinaryKL, on the only head.
_base_ = './one_head.py'
model = dict(task_weight=0.0)
