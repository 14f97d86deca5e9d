-- Each index, over all months; unused, duplicate and invalid ones are marked
WITH each AS (
    SELECT
        usage.indexrelid,
        coalesce(pg_inherits.inhparent, usage.indexrelid) AS whole,
        usage.idx_scan,
        usage.idx_tup_read,
        usage.idx_tup_fetch,
        pg_relation_size(usage.indexrelid) AS bytes
    FROM pg_stat_user_indexes AS usage
    LEFT JOIN pg_inherits ON pg_inherits.inhrelid = usage.indexrelid
    WHERE usage.schemaname = 'public'
), totals AS (
    SELECT
        whole,
        sum(bytes)::bigint AS size_bytes,
        sum(idx_scan)::bigint AS scans,
        sum(idx_tup_read)::bigint AS tuples_read,
        sum(idx_tup_fetch)::bigint AS tuples_fetched,
        count(*) FILTER (WHERE NOT leaf.indisvalid) AS invalid
    FROM each
    JOIN pg_index AS leaf USING (indexrelid)
    GROUP BY whole
), described AS (
    -- Two indexes of one table with the same of this find the same rows the same way.
    SELECT
        totals.*,
        pg_class.relname AS name,
        pg_index.indrelid,
        pg_index.indisvalid,
        pg_index.indisunique,
        (pg_index.indkey::text, pg_index.indclass::text, pg_index.indcollation::text,
         pg_index.indoption::text, pg_get_expr(pg_index.indexprs, pg_index.indrelid),
         pg_get_expr(pg_index.indpred, pg_index.indrelid), pg_class.relam)::text AS way
    FROM totals
    JOIN pg_index ON pg_index.indexrelid = totals.whole
    JOIN pg_class ON pg_class.oid = totals.whole
), reset AS (
    SELECT coalesce(' since ' || to_char(stats_reset, 'YYYY-MM-DD'), '') AS since
    FROM pg_stat_database
    WHERE datname = current_database()
)
SELECT
    name AS index,
    size_bytes,
    scans,
    tuples_read,
    tuples_fetched,
    concat_ws(
        '; ',
        CASE WHEN invalid > 0 OR NOT indisvalid THEN 'INVALID' END,
        'duplicate of ' || (
            SELECT min(other.name)
            FROM described AS other
            WHERE other.indrelid = described.indrelid
              AND other.way = described.way
              AND (other.indisunique::integer, described.name)
                  > (described.indisunique::integer, other.name)
        ),
        CASE WHEN scans = 0 AND NOT indisunique THEN 'unused' || reset.since END
    ) AS note
FROM described
CROSS JOIN reset
ORDER BY scans DESC, index
