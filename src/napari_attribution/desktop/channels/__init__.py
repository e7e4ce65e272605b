"""The dock "Channel importance"."""
