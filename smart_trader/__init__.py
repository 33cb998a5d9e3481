"""Smart Trader: finds Solana wallets that really trade well."""
