"""The dock "Explain well": why does the classifier give this well this class?"""
