"""Tables of training runs that differ in one thing: the grid, its runs, the results, the report."""
