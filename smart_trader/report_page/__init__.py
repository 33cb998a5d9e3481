"""The report page: one HTML file that shows the list, each of its wallets, and what speaks for and against them.

`reading` takes the tables' rows, `figures` and `curves` make of them what the page shows of a wallet, `sections` the
rest, `charts` holds the Vega-Lite specs and `page` writes the file. The page asks nothing of any server.
"""
