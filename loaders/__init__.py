"""BirdEye to bronze: thin loaders that land every response in Delta tables."""
