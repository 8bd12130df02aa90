"""Gait recognition from ordinary video: who walks here, how sure that is, and why."""

__version__ = "0.1.0"
