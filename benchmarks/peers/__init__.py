"""Workers that do the same work as ours, each as a competent user of its library writes it."""
