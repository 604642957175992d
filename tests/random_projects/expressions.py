"""Where an expression can stand, and which dbos calls there are."""

from __future__ import annotations

import sys

# Statements around one expression; `@` is a number of its own. The same text is right before and after.
PLACES = (
    "{0}",
    "v@ = {0}",
    "v@: object = {0}",
    "print({0})",
    "print('a', {0}, end='')",
    "print(*[{0}])",
    'print(f"{{{0}}} of {{{0}!r:>4}}")',
    "if {0}:\n    print('yes')",
    "if not {0} or v == 3:\n    print('no')",
    "if (w@ := {0}) is not None:\n    print(w@)",
    "while {0} is None:\n    break",
    "v@ = 1 if {0} else 2",
    "v@ = {0} if v else None",
    "v@ = [{0} for i in range(2)]",
    "v@ = {{i: {0} for i in range(2)}}",
    "v@ = [i for i in range(2) if {0}]",
    *(["v@ = [[{0} for i in range(1)] for j in range(1)]"] if sys.version_info >= (3, 11) else []),
    "v@ = sum([len(str({0})) for i in range(2)])",
    "v@ = sorted([str({0}) for i in range(2)])",
    "v@ = ', '.join([str({0}) for i in range(2)])",
    "v@ = {{'a': {0}, 'b': 1}}['a']",
    "v@ = ({0}, 2)[0]",
    "v@ = [1, 2][:len([{0}])]",
    "v@ = -len([{0}]) ** 2",
    "v@ = {0} == {0}",
    "v@ = str({0}).upper()",
    "v@ = 0\nv@ += len([{0}])",
    "try:\n    v@ = {0}\nexcept ValueError:\n    v@ = {0}\nfinally:\n    print('done')",
    "try:\n    print('try')\nfinally:\n    {0}",
    "for i in [{0}]:\n    print(i)\nelse:\n    print('end')",
    "for i in range(2):\n    {0}",
    "assert {0} != 'never', 'message'",
    "match {0}:\n    case None:\n        print('none')\n    case _:\n        print('other')",
    "d@ = {{}}\nd@['key'] = {0}",
    "v@ = (lambda given: given)({0})",
    "v@ = (lambda x={0}: x)()",
    "v@ = {0} or {0} and not {0}",
    "v@ = [y for i in range(2) if (y := {0})]",
    'v@ = f"{{1:>{{len([{0}])}}}}"',
    "v@ = sum(len(str(i)) for i in [{0}])",
    "with suppress(ValueError):\n    {0}",
    "try:\n    raise ValueError({0})\nexcept ValueError as error:\n    print(error, {0})",
    "v@ = {{str({0}): 1}}",
    "{0}; print('one line')",
    "if v == 98:\n    print('a')\nelif {0}:\n    print('b')\nelse:\n    {0}",
    "def local@(x={0}):\n    return x\nprint(local@())",
)

# The same for what dbos gives.
ON_RESULTS = (
    "print({0}.status)",
    "v@ = {0}[0]",
    "v@ = {0}['a']['b']",
    "v@ = {0}.get('a', 1)",
    "v@ = [item for item in {0}]",
    "v@ = sum(len(str(item)) for item in {0})",
    "for item in {0}:\n    print(item)",
    "v@ = {{**{0}}}",
    "v@ = {0} ** 2 + -{0}",
    "v@ = {0} if {0} in ({0}, None) else {0}",
    "a@, *b@ = {0}",
    "print(*{0})",
    "if 1 < {0} <= 3:\n    print('between')",
)

# Name, arguments, and whether it has an asynchronous form. `#` is a string of its own.
DBOS_CALLS = (
    ("sleep", "0", True),
    ("recv", "#", True),
    ("recv", "topic=#, timeout_seconds=1", True),
    ("send", "'w', 1, #", True),
    ("set_event", "#, 1", True),
    ("get_event", "'w', #, 1", True),
    ("get_all_events", "#", True),
    ("write_stream", "#, 1", True),
    ("close_stream", "#", True),
    ("get_workflow_status", "#", True),
    ("list_workflows", "", True),
    ("list_workflow_steps", "#", True),
    ("cancel_workflow", "#", True),
    ("list_schedules", "", True),
    ("patch", "#", True),
    ("pause_schedule", "#", False),
    ("resume_schedule", "#", False),
)
CLIENT_CALLS = (
    ("send", "'w', 1, #", True),
    ("get_event", "'w', #, 1", True),
    ("cancel_workflow", "#", True),
    ("list_workflows", "", True),
    ("pause_schedule", "#", False),
)

# How a handle is carried from the call that gives it to where it is waited for: `{0}` gives it, `{1}` waits for what
# the second text says, `{2}` is an annotation. The statements of one carrier stand in one function.
CARRIERS = (
    ("h@ = {0}\nprint(h@.workflow_id)\nprint({1})", "h@"),
    ("h@: {2} = {0}\nprint({1})", "h@"),
    ("if (h@ := {0}):\n    print({1})", "h@"),
    ("h@, n@ = ({0}, 5)\nprint({1}, n@)", "h@"),
    ("t@ = ({0}, 5)\nprint({1})", "t@[0]"),
    ("hs@ = [{0} for i in range(2)]\nprint([{1} for h in hs@])", "h"),
    ("hs@ = [{0} for i in range(2)]\nprint(sum([len(str({1})) for h in hs@]))", "h"),
    ("hs@ = []\nfor i in range(2):\n    hs@.append({0})\nfor h in hs@:\n    print({1})", "h"),
    ("hs@: list[{2}] = []\nhs@.append({0})\nprint({1})", "hs@[0]"),
    ("hs@ = [{0}]\nprint({1})", "hs@.pop()"),
    ("d@ = {{'a': {0}}}\nfor k, h in d@.items():\n    print(k, {1})", "h"),
    ("d@ = {{}}\nd@['a'] = {0}\nprint(f\"{{{1}}}\")", "d@['a']"),
    ("d@: dict[str, {2}] = {{'a': {0}}}\nprint([{1} for h in d@.values()])", "h"),
    ("h@ = {0} if v else None\nif h@ is not None:\n    print({1})", "h@"),
    ("h@ = None\ntry:\n    h@ = {0}\nfinally:\n    print('end')\nprint({1})", "h@"),
    ("hs@ = [{0} for i in range(2)]\nfor i, h in enumerate(hs@):\n    print(i, {1})", "h"),
    ("h@ = {0}\nk@ = h@\nprint({1})", "k@"),
    ("h@ = {0}\ndef later@():\n    return h@.workflow_id\nprint(later@(), {1})", "h@"),
    ("print({1})", "{0}"),
    ("{1}", "{0}"),
)
PLANTED = (
    "print(sorted([1, 2], key=lambda one: {0} is None))",
    "print(any({0} for i in range(2)))",
    "class Local@:\n    value = {0}",
    "print((lambda: {0})())",
    "print(next(i for i in range(2) if {0}))",
)
