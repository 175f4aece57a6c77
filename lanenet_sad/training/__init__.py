"""What a training run is made of, besides the loop in `lanenet_sad.train`."""
