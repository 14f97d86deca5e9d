COMMENT ON TABLE {partition} IS {origin}
