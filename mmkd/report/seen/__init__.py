"""What networks say of a sample of the validation images."""
