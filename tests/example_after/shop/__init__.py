"""A small shop on DBOS: orders, payments, a warehouse and the mail, with SQLite underneath."""
