"""Follows what becomes asynchronous to everything that uses it, and joins that into fixes."""

from dbos_asyncify.flow.join import findings_of

__all__ = ["findings_of"]
