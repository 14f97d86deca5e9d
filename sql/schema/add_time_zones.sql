-- Zones are added, never removed: users may live in one that a later release renames.
INSERT INTO time_zones (name)
SELECT name FROM unnest(%(names)s::text[]) AS known (name)
WHERE NOT EXISTS (SELECT FROM time_zones WHERE time_zones.name = known.name)
ON CONFLICT DO NOTHING
