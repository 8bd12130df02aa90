"""Video in, people out: read, find, track, cut out; and annotated video written back."""
