"""The parts of the dock that show results: the plate, its colours, the table of the wells, one well."""
