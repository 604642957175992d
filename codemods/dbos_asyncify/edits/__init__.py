"""The kinds of edit, one file a kind: what to do to a node, and the LibCST code that does it."""

from dbos_asyncify.edits.arguments import AddArguments
from dbos_asyncify.edits.await_call import AddAwait
from dbos_asyncify.edits.base import Edit, Import
from dbos_asyncify.edits.brackets import Bracket, anchor
from dbos_asyncify.edits.call_getter import CallGetter
from dbos_asyncify.edits.comments import EditComment
from dbos_asyncify.edits.hoist import AddDecorator, Hoist
from dbos_asyncify.edits.in_sequence import InSequence, InStatements
from dbos_asyncify.edits.loops import AsyncComprehension, AsyncFor, Collect
from dbos_asyncify.edits.make_async import MakeAsync
from dbos_asyncify.edits.references import ImportName, RenameInString, RenameReference
from dbos_asyncify.edits.rename_call import RenameCall
from dbos_asyncify.edits.replace_callee import ReplaceCallee
from dbos_asyncify.edits.run_as_step import RunAsStep
from dbos_asyncify.edits.sorted_iterable import Sorted
from dbos_asyncify.edits.threads import FromThread, StepFromThread, ToThread

__all__ = [
    "AddArguments",
    "AddAwait",
    "AddDecorator",
    "AsyncComprehension",
    "AsyncFor",
    "Bracket",
    "CallGetter",
    "Collect",
    "Edit",
    "EditComment",
    "FromThread",
    "Hoist",
    "Import",
    "ImportName",
    "InSequence",
    "InStatements",
    "MakeAsync",
    "RenameCall",
    "RenameInString",
    "RenameReference",
    "ReplaceCallee",
    "RunAsStep",
    "Sorted",
    "StepFromThread",
    "ToThread",
    "anchor",
]
