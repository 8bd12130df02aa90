"""A synthetic crowd with known identities, joints and silhouettes."""
