"""Questions to a map: what is here, what without it, and how much of it is enough?"""
