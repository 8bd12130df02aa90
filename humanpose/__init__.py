"""Human pose estimation: image -> joints. Knows nothing of gait, video or identity."""
