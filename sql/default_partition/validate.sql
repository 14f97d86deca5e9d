-- Now, so that message_logs finds nothing left to look at.
ALTER TABLE {partition} VALIDATE CONSTRAINT message_logs_user_id_fkey
