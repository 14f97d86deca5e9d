"""What `deliver` is made of: what it may take, what it has in hand, what follows an attempt."""
