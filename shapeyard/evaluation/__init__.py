"""How methods are compared: measurements in long form, baselines without a network, thresholds, means, intervals."""
