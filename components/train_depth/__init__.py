"""Train the depth estimator: a U-Net from one RGBA view to its depth."""
