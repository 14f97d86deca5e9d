-- template0 holds nothing, whatever an administrator has put into template1.
CREATE DATABASE {database} TEMPLATE template0
