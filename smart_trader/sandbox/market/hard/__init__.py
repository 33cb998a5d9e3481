"""The hard market: launches by the hundred, adversaries that hide, and prices that move by the second.

`kinds` and `cast` say who trades, `lives` what is launched and what becomes of it. `world` carries everything forward:
in each step `launches` and `programs` (a launch second by second), `phases` (lives and deaths), `scenes` (what can be
picked, and who acts), the kernel, and `settling` (prices at the end). `records` and `history` keep what has happened.

The kernel is `running`, `agents`, `schemes`, `picking`, `watching`, `trading`, `events` over the containers of `state`.
`machine` runs it: as plain Python with the list methods of `forms`, or compiled (`compiling`) with those of `loops`.
"""
