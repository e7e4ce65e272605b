"""The run: a plate, field by field, through a classifier and its methods, into a folder of results."""
