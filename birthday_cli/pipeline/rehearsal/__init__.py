"""The whole job on a private database, by a clock of its own."""
