"""Mappings of indices: read, merged, composed of templates, and applied to documents."""
