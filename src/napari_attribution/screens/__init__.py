"""Screens: many wells explained, judged and kept: the run, the results, the measures of quality, the report."""
