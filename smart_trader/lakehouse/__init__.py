"""The embedded lakehouse: one JVM with a Thrift SQL endpoint, Spark Connect and Delta Lake.

`server.start` brings it up for one lake and returns where it listens; everything it needs is found or fetched on the
way (`java`, `jars`), configured in one place (`spark_config`) and checked by a real
question before it counts as ready (`probe`).
"""
