"""What mends a blocking call where it stands: can it be awaited there, which form, which edits."""
