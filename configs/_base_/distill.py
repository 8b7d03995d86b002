# What every distillation needs besides a student, a teacher and methods.
# Two bases cannot both define a key, so a pair passes these on to model and
# default_hooks and, for programs other than mmkd's, custom_imports and optim_wrapper.
# Its settings override those of methods for this pair.
distill_imports = dict(imports=['mmkd.engine'])
distiller = dict(_delete_=True, type='mmkd.Distiller', methods=dict())
distill_hooks = dict(
    layout=dict(type='mmkd.ChannelsLastHook'),
    prepare_methods=dict(type='mmkd.PrepareMethodsHook'),
    distill_schedule=dict(type='mmkd.DistillScheduleHook'),
    check_teacher=dict(type='mmkd.CheckTeacherHook'),
    start_table=dict(type='mmkd.StartTableHook'),
    export_student=dict(type='mmkd.ExportStudentHook'))
distill_optim_wrapper = dict(constructor='mmkd.DistillOptimWrapperConstructor')
