SELECT obj_description(to_regclass(%(table)s), 'pg_class')
