"""Random projects: drawn as a model, written in correct asynchronous form, turned back into the synchronous one.

`model` holds what a project is made of, `draw` makes one up, `colours` says what is a coroutine in the correct form,
`render` writes that form, `inverse` makes the tool's input of its text, `compare` looks at what the tool made of that.
"""
