"""What goes wrong with records of other tools."""


class CutOffError(ValueError):
    """An event whose values the tool that wrote it left out."""
