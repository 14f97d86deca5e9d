"""Use cases of the schema: migrated, compared, dumped, changed, adopted."""
