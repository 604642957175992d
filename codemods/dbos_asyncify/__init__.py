"""dbos-asyncify: migrates async DBOS code, with a diff that a reviewer can trust."""

__version__ = "0.1.0"
