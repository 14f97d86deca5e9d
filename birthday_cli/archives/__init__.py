"""Files of archived months: their formats, and the places that keep them."""
