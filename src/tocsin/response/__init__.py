"""From an alert to contained: hosts asked, observables judged, cases kept, actions taken; how fast, measured."""
