"""`smart-trader sql`: queries over a lake, one at a time or in a shell."""
