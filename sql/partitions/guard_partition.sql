SELECT guard_message_table(%(partition)s::regclass)
