"""What is trained, as torch modules: layers, the autoencoder that they make, heads, the shortcut."""
