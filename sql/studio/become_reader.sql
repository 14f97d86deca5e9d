-- May this session do nothing but read?
SET LOCAL ROLE bdaysched_reader
