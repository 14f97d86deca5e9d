-- How many rows of each status does a month hold, and what do the hashes of their contents add up to?
-- A row is hashed as a JSON array of its columns' text, so that anybody can do it again.
SELECT
    status,
    count(*),
    sum(
        ('x' || encode(substr(sha256(convert_to(json_build_array({columns})::text, 'UTF8')), 1, 8), 'hex'))
        ::bit(64)::bigint
    )
FROM {partition}
GROUP BY status
