"""Judges a lake's list by the truth of the market it was filled from.

`truth` reads who is what, `standings` whom the lake lists, `quality` joins both, `copying` trades after them, `report`
writes it down.
"""
