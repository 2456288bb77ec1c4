"""Measures a classifier on its test split and puts it on one page."""
