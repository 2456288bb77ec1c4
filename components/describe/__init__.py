"""Printed things to features: a grid, and numbers that a person could measure."""
