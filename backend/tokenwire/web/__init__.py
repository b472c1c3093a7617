"""The doors: everything that touches Quart. A door moves text and maps endings; rules live in the
other rooms.
"""
