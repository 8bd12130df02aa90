"""How well it works: protocols, metrics, intervals, calibration, plots, the report page; on plain NumPy arrays."""
