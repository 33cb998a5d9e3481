"""A BirdEye-compatible API on this machine: a seeded market, or recorded responses served again.

`market` makes rows and `replay` finds them in recordings; both are a `source`. `answers` pages, filters and sorts what
a source has, `server` puts HTTP around it, `faults` and `limits` refuse, `record` stores what the real API says,
`running` serves within a test.
"""
