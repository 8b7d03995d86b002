"""Predictions of networks on a sample of the validation images."""
