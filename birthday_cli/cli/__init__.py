"""The command line: parse, call one use case, show what it returns.

Cron starts the program every minute. So drivers and use cases are imported inside the commands, and
modules with commands do without `from __future__ import annotations`: Typer would evaluate each
annotation again and again.
"""
