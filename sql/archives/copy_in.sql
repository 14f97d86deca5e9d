COPY {partition} ({columns}) FROM STDIN (ENCODING 'UTF8')
