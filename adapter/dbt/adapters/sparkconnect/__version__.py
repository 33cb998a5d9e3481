"""Version of the plugin, in the form dbt reads it."""

version = "0.1.0"
