"""Quality: what can be wrong with a field, its explanation or the plate, in numbers (`measures`, `judging`) and words (`flags`)."""
