-- What one file sets is nothing to the next one, nor to the record; no limit of the role's ends a
-- migration half-way; and a literal means the same on every server. Where we are killed, the server
-- finds out while it works, and lets go of the lock.
RESET ROLE;
RESET ALL;
SET statement_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET idle_session_timeout = 0;
SET standard_conforming_strings = on;
SET client_connection_check_interval = '2s'
