-- From here on `users erase` reaches the table, and nobody gets in who is not there. What is there
-- already is checked afterwards, while others go on.
ALTER TABLE {partition} ADD CONSTRAINT message_logs_user_id_fkey
    FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE NOT VALID
