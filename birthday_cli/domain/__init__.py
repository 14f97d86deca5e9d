"""The rules, pure: no I/O and no clock; `now` comes in as an argument."""
