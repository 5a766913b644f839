"""Investigation: a rule's guide, rendered for one alert."""
