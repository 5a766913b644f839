"""Actions of rules: messages about alerts, written with them, and delivered through connectors."""
