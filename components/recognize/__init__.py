"""Shows the classifier what was reconstructed."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow and Keras read these when they are imported, so before
os.environ["KERAS_BACKEND"] = "tensorflow"  # any module of this package
