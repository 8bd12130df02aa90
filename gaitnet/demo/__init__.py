"""The demonstration: walkers (synthetic) whom no network was trained on are enrolled and found again."""
