"""The parts of the dock "Explain well": what each shows, and what it says was asked for."""
