"""The rules, one file a rule: each finds something, explains it, and says which edits would mend it."""

from dbos_asyncify.rules.base import Draft, Rule, all_rules

__all__ = ["Draft", "Rule", "all_rules"]
