"""Real annotations in, one record type out."""
