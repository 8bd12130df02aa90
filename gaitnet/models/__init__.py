"""Networks that describe a walk or a frame, one architecture a file."""
