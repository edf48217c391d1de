"""Checkpoints in the forms their authors publish: read into our names and config, and written back."""
