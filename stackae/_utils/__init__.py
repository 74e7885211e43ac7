"""What has no knowledge of autoencoders."""
