"""A BirdEye-compatible API on this machine: recorded responses, served again with the API's own rules.

`replay` finds the rows in recordings, `answers` pages, filters and sorts them, `server` puts HTTP around it.
"""
