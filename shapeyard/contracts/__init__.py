"""What stages hand to each other: datasets, models, progress."""
