"""The dock "Side by side"."""
