"""bdaysched: one message at 9:00 of everyone's own morning, on the right day, once."""

__version__ = "0.1.0"
