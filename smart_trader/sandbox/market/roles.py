"""What part each kind of address plays: the one place that says who is worth finding and who is in the way."""

from __future__ import annotations

HONEST, SKILLED, ADVERSARY, INFRASTRUCTURE = "honest", "skilled", "adversary", "infrastructure"

# Every kind that `truth` names. Honest wallets trade for themselves, by luck, habit or hope. Adversaries look like
# good traders and are none that a follower could earn with. Infrastructure is no trader at all.
ROLES = {
    "noise": HONEST,
    "skilled": SKILLED,
    "follower": HONEST,
    "one_hit": HONEST,
    "bag_holder": HONEST,
    "martingale": HONEST,
    "retired": HONEST,
    "insider": ADVERSARY,
    "sniper": ADVERSARY,
    "bundle": ADVERSARY,
    "fresh_launcher": ADVERSARY,
    "deployer": ADVERSARY,
    "kol": ADVERSARY,
    "copy_bot": ADVERSARY,
    "cluster_main": ADVERSARY,
    "cluster_side": ADVERSARY,
    "wash_pair": ADVERSARY,
    "wash_ring": ADVERSARY,
    "market_maker": ADVERSARY,
    "mev_bot": ADVERSARY,
    "sandwich": ADVERSARY,
    "arbitrage": ADVERSARY,
    "airdrop_seller": ADVERSARY,
    "dust_spammer": ADVERSARY,
    "exchange": INFRASTRUCTURE,
    "pool": INFRASTRUCTURE,
    "pool_authority": INFRASTRUCTURE,
    "locker": INFRASTRUCTURE,
}

# Who trades on their own account by what everybody can see, well or badly.
TRADERS = tuple(kind for kind, role in ROLES.items() if role in (HONEST, SKILLED))
