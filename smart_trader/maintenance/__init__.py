"""Keeps a lake healthy and puts it right: old and small files, broken tables, backups, rows of a mistyped time."""
