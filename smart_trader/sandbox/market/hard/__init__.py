"""The hard market: launches by the hundred, adversaries that hide, and prices that move by the second.

`kinds` and `cast` say who trades, `lives` what is launched and what becomes of it, `programs` what happens around a
launch second by second, `trading`, `events` and `agents` are the kernel, `world` carries everything forward in time.
"""
