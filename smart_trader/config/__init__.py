"""What the project is set to: paths, the environment's settings, the project's vars, the schemas' names."""
