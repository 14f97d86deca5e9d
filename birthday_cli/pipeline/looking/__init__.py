"""Use cases that only look: at the day, at one user, at the books, at all of it."""
