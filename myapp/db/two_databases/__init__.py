"""Two databases in one request, committed together or not at all."""
