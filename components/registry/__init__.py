"""What happens to a model after it was registered: which version serves, and where it came from."""
