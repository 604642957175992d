"""Reads released dbos wheels, without importing them, into the rows of the catalogue of the DBOS API."""
