"""Scripts that are rarely run: train or measure everything that ships, make data files, check words."""
