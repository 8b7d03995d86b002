# What every distillation needs beside a student, a teacher and methods.
custom_imports = dict(imports=['mmkd.engine'])
custom_hooks = [
    dict(type='mmkd.TrainingGuardHook'),
    dict(type='mmkd.PrepareMethodsHook'),
    dict(type='mmkd.ExportStudentHook')
]
