"""From a file to an answer: what the command line, the evaluation and a server ask of trained networks."""
