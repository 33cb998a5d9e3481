"""What the reading commands show, straight from the lake's files."""
