ALTER TABLE {partition} DROP CONSTRAINT {foreign_key}
