"""The lake's files: where they lie, who may write them, and how they are read without Spark."""
