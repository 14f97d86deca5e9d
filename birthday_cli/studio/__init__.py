"""The web pages: how things are, for a person on call. Imported by its command only."""
