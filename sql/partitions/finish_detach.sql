-- Completes a concurrent detach that was interrupted.
ALTER TABLE message_logs DETACH PARTITION {partition} FINALIZE
