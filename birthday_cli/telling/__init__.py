"""What there is to tell, in words: the same on a terminal and on a page, which lay them out."""
