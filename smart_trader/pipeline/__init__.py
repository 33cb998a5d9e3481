"""The run: load and build in turns, under one lock; and the commands that read the lake without a server.

`run` does the steps, `sources` decides whom they ask, `builds` calls dbt, `reading` reads tables for `leaderboard`,
`explain` and `status`, `upkeep` compacts tables and watches the disk.
"""
