"""Measure shapes that were reconstructed from several images, beside baselines, by the number of images."""
