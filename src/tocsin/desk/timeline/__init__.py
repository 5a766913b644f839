"""The timeline: events of any index by time, what is kept of them, and exports."""
