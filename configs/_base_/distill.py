# What every distillation needs beside a student, a teacher and methods.
custom_imports = dict(imports=['mmkd.engine'])
# Two bases cannot both define default_hooks: a pair hands these on.
distill_hooks = dict(
    prepare_methods=dict(type='mmkd.PrepareMethodsHook'),
    distill_schedule=dict(type='mmkd.DistillScheduleHook'),
    start_table=dict(type='mmkd.StartTableHook'),
    export_student=dict(type='mmkd.ExportStudentHook'))
