"""Functions over a connection: the statements in sql/, and nothing that decides."""
