"""Measures of depth, occupancy and classification."""
