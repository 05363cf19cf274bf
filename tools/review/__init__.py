"""The page on which a person listens to clips and corrects them. Run by `make review`."""
