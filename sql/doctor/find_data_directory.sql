-- Needs the rights of pg_read_all_settings.
SELECT current_setting('data_directory')
