"""Pictures in, results out: sources, sinks, and the predictor between them."""
