"""Trainings that survive: the loops, their checkpoints, ranks, and what is drawn."""
