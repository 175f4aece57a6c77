"""From what a network says to lanes in the pixels of a picture."""
