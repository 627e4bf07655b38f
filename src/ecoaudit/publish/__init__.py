"""GitHub: event -> activity -> effects -> executor (comment, check run, outputs, baseline)."""
