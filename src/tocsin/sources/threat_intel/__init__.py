"""Threat intelligence in files: STIX, tables and lists, as the indicators that Elastic's integrations write."""
