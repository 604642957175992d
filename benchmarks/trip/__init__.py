"""Turns the asynchronous calls of a released dbos's own tests into synchronous ones, and judges how they come back.

Nothing here uses the tool's analysis: what a call is, is found out from the release's source and the rules of Python.
"""
