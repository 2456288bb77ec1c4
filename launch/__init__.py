"""Running, submitting and building what the pipelines are made of, and the command line."""
