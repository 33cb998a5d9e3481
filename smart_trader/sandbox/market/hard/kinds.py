"""The kinds of wallets of the hard market, and the orders the kernel carries out."""

from __future__ import annotations

KINDS = (
    "noise", "skilled", "insider", "sniper", "bundle", "fresh_launcher", "deployer", "kol", "follower", "copy_bot",
    "cluster_main", "cluster_side", "wash_pair", "wash_ring", "market_maker", "sandwich", "arbitrage", "martingale",
    "bag_holder", "one_hit", "airdrop_seller", "dust_spammer", "exchange", "retired",
)  # fmt: skip
(
    NOISE, SKILLED, INSIDER, SNIPER, BUNDLE, FRESH_LAUNCHER, DEPLOYER, KOL, FOLLOWER, COPY_BOT,
    MAIN_OF_CLUSTER, SIDE_OF_CLUSTER, WASH_PAIR, WASH_RING, MARKET_MAKER, SANDWICH, ARBITRAGE, MARTINGALE,
    BAG_HOLDER, ONE_HIT, AIRDROP_SELLER, DUST_SPAMMER, EXCHANGE, RETIRED,
) = range(24)  # fmt: skip
STYLES = ("quick", "swing", "patient")
QUICK, SWING, PATIENT = range(3)

# orders: act as the kind does, buy for USD, sell a share, the crowd moves a price by a factor, a curve's liquidity
# moves to a pool, a pool is drained to a share, a token is passed to another wallet, comes from nowhere known
FREE, BUY, SELL, CROWD, MIGRATE, DRAIN, PASS_ON, RECEIVE = range(8)
