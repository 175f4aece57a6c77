"""Lanes as polylines: types, curves, drawing, files, slots, and where in a picture a network looks. No torch here."""
