-- The process ends in order: nobody has to wonder where it is.
DELETE FROM heartbeats WHERE id = %(id)s
