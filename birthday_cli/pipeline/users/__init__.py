"""Use cases of the users: added, imported, exported, deleted, erased; and made up."""
