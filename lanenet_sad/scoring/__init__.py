"""Prediction files of any model against label files; what the verb `score` does for each benchmark."""
