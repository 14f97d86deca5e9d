"""One file for each page: what it shows, from which use cases."""
