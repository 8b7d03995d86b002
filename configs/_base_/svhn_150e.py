_base_ = [
    './datasets/svhn.py', './schedules/svhn_150e.py', './classification_runtime.py'
]
