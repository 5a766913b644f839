"""Investigation: what an alert is looked into with: a sentence, its processes, its rule's guide."""
