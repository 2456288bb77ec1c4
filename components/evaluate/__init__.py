"""Measure depth, reconstruction and classification on the test split, each beside a baseline that needs no network."""
