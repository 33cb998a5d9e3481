"""Names of where rows come from, as every row is stamped: only those of BirdEye itself are real."""

BIRDEYE = "birdeye"
SANDBOX = "sandbox"
REPLAY = "replay"
