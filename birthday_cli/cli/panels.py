"""The panels of `bdaysched --help`; they come in the order in which main.py registers commands."""

EVERY_DAY = "Every day"
LOOKING = "Is all well?"
EXPLAINING = "Who gets what when, and why"
PARTITIONS = "Months"
SCHEMA = "Schema"
TRYING = "Trying it out"
INSTALLING = "Installing"
