"""What each grade says of a wallet, after the word "Grade" and its letter."""

GRADES = {
    "A": "its skill exceeds 0, and its peers', with 95 %, over several periods",
    "B": "its skill exceeds 0, and its peers', with 90 %",
    "C": "not enough to tell; what is known points up",
    "D": "not enough to tell, or nothing that points up",
    "X": "none, since a hard flag holds",
}
# Grades that say that it was more than luck.
SURE_GRADES = ("A", "B")
