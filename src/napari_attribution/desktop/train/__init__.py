"""The dock "Train channel importance": which stain carries a phenotype, learned from labelled wells."""
