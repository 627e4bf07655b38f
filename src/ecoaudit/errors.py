"""The one kind of error a user sees: one line that says what is wrong, where, and what to do."""


class EcoauditError(Exception):
    """Bad input or usage; the command line prints it as one line and exits with 2.

    `what` is the problem, `where` the place (a path, `path:line` or a key), `fix` what the reader can do about it.
    """

    exit_code = 2

    def __init__(self, what: str, *, where: str | None = None, fix: str | None = None) -> None:
        self.what = what
        self.where = where
        self.fix = fix
        super().__init__(self.line())

    def line(self) -> str:
        """Return the message as one line: `where: what; fix`. What a terminal would obey (an escape) is U+FFFD."""
        text = f"{self.where}: {self.what}" if self.where else self.what
        if self.fix:
            text = f"{text}; {self.fix}"
        return "".join(c if c.isprintable() else "\ufffd" for c in " ".join(text.split()))
