SELECT name FROM time_zones
