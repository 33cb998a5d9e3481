"""The run: load and build in turns, under one lock.

`run` does the steps, `sources` decides which API they use, `builder` what they build; `dbt` calls dbt, `build_state`
notes what was built from what, `changes` finds what an edit of the project made old.
"""
