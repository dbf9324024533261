"""What is run seldom: train or measure everything that ships, and make the data files of the package."""
