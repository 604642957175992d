"""What the code means: scopes, imports, and the values that names and expressions can hold.

`build` turns one file into facts that need no other file; `modules` finds which file an import means;
`solve` joins the facts of all files to a fixpoint. Everything here reads with the standard library's `ast`.
"""
