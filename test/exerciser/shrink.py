"""Delta debugging: the least part of a list that still shows what the whole list shows."""


def shrunk(items, shows):
    """Leaves out ever smaller pieces. Afterwards no single item can be left out."""
    piece = max(1, len(items) // 2)
    while True:
        start, has_shrunk = 0, False
        while start < len(items):
            rest = items[:start] + items[start + piece :]
            if rest and shows(rest):
                items, has_shrunk = rest, True
            else:
                start += piece
        if piece == 1 and not has_shrunk:
            return items
        piece = piece if has_shrunk and piece == 1 else max(1, piece // 2)
