"""The workshop: trains what the packages ship. Run from a checkout as `python -m train`; never part of the wheel."""
