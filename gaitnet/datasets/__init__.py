"""Readers of gait data sets: each turns a folder in its published layout into `record.Sequence` records."""
