"""From labels of any kind to a dataset in CULane's layout: what a source is, its pictures, splits, the summary."""
