"""Cutting a network in two: features(x) and head(activation), and where in the input a location lies."""
