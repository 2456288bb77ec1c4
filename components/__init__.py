"""The stages, one folder each; component.py is the typed spec."""
