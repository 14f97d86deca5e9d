"""Use cases of the months: made ahead, archived, brought back, surveyed; dropped by retain.py."""
