-- The guard's triggers that message_logs itself lacks, or has disabled; its partitions are told of by
-- catalog/list_faulty_leaf_triggers.
SELECT name, tgname IS NOT NULL AS is_disabled
FROM unnest('{take_message_guard, release_message_guard, refuse_message_key_change}'::text[])
    AS wanted (name)
LEFT JOIN pg_trigger ON tgrelid = to_regclass('message_logs') AND tgname = name
WHERE tgenabled IS NULL OR tgenabled NOT IN ('O', 'A')
ORDER BY name
