"""Security products other than Windows itself: a module each, with the table of how its records become ECS."""

from tocsin.sources.products import crowdstrike, endgame, m365_defender, sentinel_one

__all__ = ["crowdstrike", "endgame", "m365_defender", "sentinel_one"]
