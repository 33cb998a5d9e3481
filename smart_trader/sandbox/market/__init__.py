"""A seeded synthetic Solana market at swap level.

`tokens` says what is launched and how it lives, `kernel` lets wallets trade against constant-product pools, `world`
carries both forward in time, `listing`, `holding` and `rows` show it as the API would, `truth` has what is behind.
"""
