"""The command line: parse, call one use case, show what it returns.

Drivers and use cases are imported inside the commands, because cron starts the program every minute
and `--help` needs none of them.
"""
